/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MM_VSWAP_TABLE_H
#define _MM_VSWAP_TABLE_H

#include <linux/bug.h>
#include <linux/mmdebug.h>
#include "swap_table.h"

struct zswap_entry;

/*
 * The backing words of a cluster. Absent until a slot needs one, see
 * vswap_alloc_backing().
 */
struct vswap_table {
	atomic_long_t words[SWAPFILE_CLUSTER];
};

/*
 * A word of a backing table says what holds the data of one virtual swap slot
 * while no folio does. The table of a cluster is a 1:1 map of its slots, like
 * the swap table beside it, and is absent until the first slot needs it.
 *
 * Backing word types and bit layouts:
 *
 * NULL:     |---------------- 0 ----------------| - No backing
 * Zswap:    |------ struct zswap_entry * ---|F01| - In zswap
 * Slot:     |TYPE|------- OFFSET -------|A|F|010| - In a physical slot
 * Poison:   |---------------- 0 ------------|011| - Lost, with a device that was
 *                                                   switched off or by compressed RAM
 *
 * NULL stands for three things that the swap table tells apart: a free slot, a
 * slot whose data is only in the folio in the swap cache, and a slot that is
 * known to be zero-filled. The low three bits are the type; pointers are
 * aligned to 8 bytes at least. The physical slot's own word in the swap table of
 * its device names the virtual slot, see SWP_TB_BACKREF_MARK.
 *
 * F says that I/O on the slot failed, or that the entry could not be
 * decompressed: a write goes elsewhere, and a read is for this page alone, as it
 * may have been another one that failed. A says that such a read has failed,
 * too, which nobody has been told yet.
 */

#define VSWAP_TB_NULL		0UL
#define VSWAP_TB_ZSWAP_MARK	0b001UL
#define VSWAP_TB_PHYS_MARK	0b010UL
#define VSWAP_TB_POISON		0b011UL
#define VSWAP_TB_MARK_MASK	0b111UL
#define VSWAP_TB_ZSWAP_MASK	0b011UL
#define VSWAP_TB_ZSWAP_FAILED	BIT(2)
#define VSWAP_TB_PHYS_FAILED	BIT(3)
#define VSWAP_TB_PHYS_ALONE	BIT(4)
#define VSWAP_TB_PHYS_MASK	(VSWAP_TB_PHYS_FAILED | VSWAP_TB_PHYS_ALONE)

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
	return (word & VSWAP_TB_ZSWAP_MASK) == VSWAP_TB_ZSWAP_MARK;
}

static inline struct zswap_entry *vswap_tb_to_zswap(unsigned long word)
{
	VM_WARN_ON_ONCE(!vswap_tb_is_zswap(word));
	return (struct zswap_entry *)(word & ~VSWAP_TB_MARK_MASK);
}

static inline unsigned long phys_to_vswap_tb(swp_entry_t slot)
{
	return swap_entry_pack(slot) | VSWAP_TB_PHYS_MARK;
}

static inline bool vswap_tb_is_phys(unsigned long word)
{
	return (word & VSWAP_TB_MARK_MASK) == VSWAP_TB_PHYS_MARK;
}

static inline swp_entry_t vswap_tb_to_phys(unsigned long word)
{
	VM_WARN_ON_ONCE(!vswap_tb_is_phys(word));
	return swap_entry_unpack(word);
}

static inline bool vswap_tb_is_poison(unsigned long word)
{
	return word == VSWAP_TB_POISON;
}

/* Has the slot failed, or the zswap entry, when it was used last? */
static inline bool vswap_tb_has_failed(unsigned long word)
{
	if (vswap_tb_is_phys(word))
		return word & VSWAP_TB_PHYS_FAILED;
	return vswap_tb_is_zswap(word) && (word & VSWAP_TB_ZSWAP_FAILED);
}

/* Does the second word name the physical slot behind that of the first? */
static inline bool vswap_tb_is_next_phys(unsigned long word, unsigned long next)
{
	return vswap_tb_is_phys(next) &&
	       (next & ~VSWAP_TB_PHYS_MASK) ==
	       (word & ~VSWAP_TB_PHYS_MASK) + BIT(SWP_PACKED_SHIFT);
}

/*
 * Access to the words of a cluster. Who may do what when is at the top of
 * mm/vswap_backing.c, which is the only file that sets any.
 */

static inline unsigned long __vswap_tb_get(struct swap_cluster_info *ci,
					   unsigned int ci_off)
{
	struct vswap_table *table = READ_ONCE(ci->backing);

	VM_WARN_ON_ONCE(ci_off >= SWAPFILE_CLUSTER);
	return table ? atomic_long_read(&table->words[ci_off]) : VSWAP_TB_NULL;
}

/* The cluster has a table */
static inline void __vswap_tb_set(struct swap_cluster_info *ci,
				  unsigned int ci_off, unsigned long word)
{
	VM_WARN_ON_ONCE(ci_off >= SWAPFILE_CLUSTER);
	atomic_long_set(&ci->backing->words[ci_off], word);
}

static inline unsigned long __vswap_tb_xchg(struct swap_cluster_info *ci,
					    unsigned int ci_off, unsigned long word)
{
	VM_WARN_ON_ONCE(ci_off >= SWAPFILE_CLUSTER);
	return atomic_long_xchg(&ci->backing->words[ci_off], word);
}

#endif /* _MM_VSWAP_TABLE_H */
