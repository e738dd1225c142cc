// Runs a diagnosis beside the page: within a time, and only the latest one.

/**
 * @param {number} seconds after which a diagnosis is given up
 * @returns {{run, cancel}} run(blob, {read, stepsPerEpoch}) -> a promise of {found},
 *   {refused: sentence}, or null where it was cancelled or overtaken
 */
export function createAnalysis(seconds) {
  let stop = () => {};

  function run(blob, options) {
    stop();
    return new Promise((resolve) => {
      const source = new Blob([sourceOf("./worker.js")], { type: "text/javascript" });
      const url = URL.createObjectURL(source);
      const worker = new Worker(url);
      const end = (result) => {
        clearTimeout(timer);
        worker.terminate();
        URL.revokeObjectURL(url);
        resolve(result);
      };
      const timer = setTimeout(() => {
        const why = options.read.pattern ? "A pattern can take very long; try a simpler one." : "Thin the log out.";
        end({ refused: `the diagnosis took longer than ${seconds} seconds and was given up. ${why}` });
      }, 1000 * seconds);
      stop = () => end(null);
      worker.onmessage = ({ data }) => end(data);
      worker.onerror = (event) => {
        event.preventDefault();
        end({ refused: `the diagnosis failed: ${event.message}` });
      };
      worker.postMessage({ blob, ...options });
    });
  }
  return { run, cancel: () => stop() };
}
