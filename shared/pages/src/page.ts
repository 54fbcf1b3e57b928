// Which of the two pages this build is.

declare const __PAGE__: 'central' | 'edge';

/** `central`: every stored sample and every edge. `edge`: the site's own, with no link needed. */
export const PAGE: 'central' | 'edge' = __PAGE__;
