/** Number of items on a page of the API's lists. */
export const PAGE_SIZE = 50;

/** Number of the highest page that the API accepts. */
export const HIGHEST_PAGE = 100_000;
