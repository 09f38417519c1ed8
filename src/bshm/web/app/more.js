// Says with a fade that a part scrolls on, above or below.

/** @param {HTMLElement} part what scrolls @param {HTMLElement} around gets data-above and data-below */
export function startMore(part, around) {
  const look = () => {
    const { scrollTop, clientHeight, scrollHeight } = part;
    // Browsers round each of the three.
    around.dataset.above = String(scrollTop > 2);
    around.dataset.below = String(scrollTop + clientHeight < scrollHeight - 2);
  };
  part.addEventListener("scroll", look, { passive: true });
  const sizes = new ResizeObserver(look);
  sizes.observe(part);
  for (const child of part.children) sizes.observe(child);
  look();
}
