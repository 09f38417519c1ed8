// The page's views, by the part of its address after the #: the back button and bookmarks work.

/**
 * @param {Record<string, HTMLAnchorElement>} links by the view's name; the first is where nothing else is asked for
 * @param {(view: string) => void} show called with the view, now and after each change
 */
export function startViews(links, show) {
  const names = Object.keys(links);
  let shown = "";

  function look() {
    const asked = location.hash.slice(1);
    // Other places within the page are in whatever view is shown.
    const elsewhere = asked && shown ? shown : names[0];
    const view = names.includes(asked) ? asked : elsewhere;
    if (view === shown) return;
    shown = view;
    for (const [name, link] of Object.entries(links)) {
      if (name === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    show(view);
  }

  addEventListener("hashchange", look);
  look();
  return {
    go(view) {
      history.pushState(null, "", `#${view === names[0] ? "" : view}`);
      look();
    },
  };
}
