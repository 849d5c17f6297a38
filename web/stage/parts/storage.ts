/** What this browser keeps from visit to visit. In a frame it may keep nothing, and then refuses even to be asked. */
export function readStored(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

export function store(name: string, text: string): void {
  try {
    localStorage.setItem(name, text);
  } catch {
    // It holds for this visit only.
  }
}
