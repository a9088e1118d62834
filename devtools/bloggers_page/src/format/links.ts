/** Return an address if it is one of HTTPS; null for every other text, which the page must not link. */
export function httpsOnly(address: string | null): string | null {
  if (address === null) return null;
  try {
    const url = new URL(address);
    return url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}
