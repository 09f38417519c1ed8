// Runs before the first paint, so that nothing flashes: the other theme, or the start page where pictures come back.
(() => {
  try {
    const theme = localStorage.getItem("bshm.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    if (sessionStorage.getItem("bshm.open")) document.documentElement.dataset.returning = "";
  } catch {
    // Storage is blocked: the system's theme stays, and nothing comes back.
  }
})();
