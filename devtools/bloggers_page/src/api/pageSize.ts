/** Number of items on a page of the API's lists. */
export const PAGE_SIZE = 50;
