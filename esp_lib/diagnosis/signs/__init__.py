"""What a loss curve shows, before anything is concluded from it: chapter 8, "How it decides"."""
