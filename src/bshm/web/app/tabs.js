// Tabs by the ARIA pattern: arrows move and choose, Tab goes on into the pane.

/** @param {HTMLElement} list of role tablist @param {(id: string) => void} chosen called with the tab's id */
export function startTabs(list, chosen) {
  const tabs = [...list.querySelectorAll('[role="tab"]')];

  function choose(tab) {
    for (const other of tabs) {
      const selected = other === tab;
      other.setAttribute("aria-selected", String(selected));
      other.tabIndex = selected ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !selected;
    }
    chosen(tab.id);
  }

  for (const tab of tabs) tab.addEventListener("click", () => choose(tab));
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 };
    if (at < 0 || !(event.key in moves)) return;
    event.preventDefault();
    const next = tabs[(moves[event.key] + tabs.length) % tabs.length];
    next.focus();
    choose(next);
  });
}
