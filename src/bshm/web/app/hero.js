// The start page's picture: its divider goes to and fro until somebody takes it.

/** @param {HTMLElement} show the picture @param {HTMLInputElement} slider lies over it, unseen */
export function startHero(show, slider) {
  const move = () => {
    show.classList.add("is-held");
    show.style.setProperty("--split", `${slider.value}%`);
  };
  slider.addEventListener("input", move);
  // From where the divider is at that moment, not from the middle.
  slider.addEventListener("focus", () => {
    if (show.classList.contains("is-held")) return;
    const now = Number.parseFloat(getComputedStyle(show).getPropertyValue("--split"));
    if (Number.isFinite(now)) slider.value = String(Math.round(now));
    move();
  });
}
