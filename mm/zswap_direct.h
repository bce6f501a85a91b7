/* SPDX-License-Identifier: GPL-2.0 */
/* What zswap does with its entries that are on compressed RAM, for mm/cram*.c. */
#ifndef _MM_ZSWAP_DIRECT_H
#define _MM_ZSWAP_DIRECT_H

struct folio;
struct mt_direct;

unsigned long zswap_evict_direct(struct mt_direct *direct, unsigned long nr);
void zswap_leave_direct(struct folio *folio);

#endif /* _MM_ZSWAP_DIRECT_H */
