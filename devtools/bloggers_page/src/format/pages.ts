import { HIGHEST_PAGE, PAGE_SIZE } from "../api/pageSize";

/** Return the number of the page that an address names, from 1 to the highest that the API accepts. */
export function pageOf(text: string | null): number {
  const page = Number(text);
  return Number.isInteger(page) && page > 0 ? Math.min(page, HIGHEST_PAGE) : 1;
}

/** Return the number of the last page of a list. */
export function lastPage(total: number): number {
  return Math.max(1, Math.ceil(total / PAGE_SIZE));
}

/** Return the number of the page before `page`; the last one before a page beyond the end. */
export function previousPage(page: number, total: number): number {
  return Math.max(1, Math.min(page - 1, lastPage(total)));
}
