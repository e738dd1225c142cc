"""Mangled links are refused in words or set what Python accepts."""

from tests.hostile.links import broken_links


def test_mangled_links_set_good_settings_or_are_refused_in_words(node, tmp_path):
    broken, ends = broken_links(node, tmp_path, 1_000, seed=0)
    assert broken == []
    assert min(ends.values()) > 20
