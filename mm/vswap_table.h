/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MM_VSWAP_TABLE_H
#define _MM_VSWAP_TABLE_H

#include <linux/bug.h>
#include <linux/mmdebug.h>

struct zswap_entry;

/*
 * A word of a backing table says what holds the data of one virtual swap slot
 * while no folio does. The table of a cluster is a 1:1 map of its slots, like
 * the swap table beside it, and is absent until the first slot needs it.
 *
 * Backing word types and bit layouts:
 *
 * NULL:     |---------------- 0 ----------------| - No backing
 * Zswap:    |------ struct zswap_entry * ---|001| - Compressed by zswap
 *
 * NULL stands for three things that the swap table tells apart: a free slot, a
 * slot whose data is only in the folio in the swap cache, and a slot that is
 * known to be all zeroes. The low three bits are the type; pointers are
 * aligned to 8 bytes at least.
 */

#define VSWAP_TB_NULL		0UL
#define VSWAP_TB_ZSWAP_MARK	0b001UL
#define VSWAP_TB_MARK_MASK	0b111UL

static inline unsigned long zswap_to_vswap_tb(struct zswap_entry *entry)
{
	unsigned long word = (unsigned long)entry;

	VM_WARN_ON_ONCE(!entry || (word & VSWAP_TB_MARK_MASK));
	return word | VSWAP_TB_ZSWAP_MARK;
}

static inline bool vswap_tb_is_null(unsigned long word)
{
	return word == VSWAP_TB_NULL;
}

static inline bool vswap_tb_is_zswap(unsigned long word)
{
	return (word & VSWAP_TB_MARK_MASK) == VSWAP_TB_ZSWAP_MARK;
}

static inline struct zswap_entry *vswap_tb_to_zswap(unsigned long word)
{
	VM_WARN_ON_ONCE(!vswap_tb_is_zswap(word));
	return (struct zswap_entry *)(word & ~VSWAP_TB_MARK_MASK);
}

#endif /* _MM_VSWAP_TABLE_H */
