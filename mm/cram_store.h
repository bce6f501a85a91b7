/* SPDX-License-Identifier: GPL-2.0 */
/* Copies of pages on compressed RAM: what zswap asks for, see mm/cram_store.c. */
#ifndef _MM_CRAM_STORE_H
#define _MM_CRAM_STORE_H

#include <linux/cram.h>
#include <linux/err.h>
#include <linux/jump_label.h>
#include <linux/mm_types.h>

/**
 * struct cram_copy - A copy of a page.
 * @page: the page of compressed RAM; an error pointer where there is no copy, see
 *	cram_store_pages().
 * @size: bytes that it takes there.
 * @sum: for finding out whether it is still the same.
 */
struct cram_copy {
	struct page *page;
	unsigned int size;
	u32 sum;
};

#ifdef CONFIG_CRAM

DECLARE_STATIC_KEY_FALSE(cram_present);

void cram_store_pages(struct page *page, int nr, struct cram_copy *copies);
int cram_load_page(const struct cram_copy *copy, struct page *to);
void cram_free_page(struct page *page);
unsigned long __cram_headroom_pages(void);

/* May there be copies? Then there is a device, or one that has not left yet. */
static __always_inline bool cram_is_present(void)
{
	return static_branch_unlikely(&cram_present);
}

/* The device that a copy is on. */
static inline struct cram_node *cram_page_node(const struct page *page)
{
	return READ_ONCE(page->zone_device_data);
}

/**
 * cram_headroom_pages - Estimate how many more pages can be stored.
 *
 * Context: Any but interrupts.
 * Return: Number of pages, as if none could be compressed.
 */
static __always_inline unsigned long cram_headroom_pages(void)
{
	return cram_is_present() ? __cram_headroom_pages() : 0;
}

#else

static inline bool cram_is_present(void)
{
	return false;
}

static inline unsigned long cram_headroom_pages(void)
{
	return 0;
}

static inline void cram_free_page(struct page *page)
{
}

#endif /* CONFIG_CRAM */

#endif /* _MM_CRAM_STORE_H */
