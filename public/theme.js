// Sets the chosen theme before anything is painted; without a choice the system's is used.
try {
  const theme = localStorage.getItem('tabvisor.theme');
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is blocked: the system's theme it is.
}
