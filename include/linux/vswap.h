/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual swap space: what the rest of the kernel asks about it.
 * See Documentation/mm/vswap.rst.
 */
#ifndef _LINUX_VSWAP_H
#define _LINUX_VSWAP_H

#include <linux/types.h>

#ifdef CONFIG_VSWAP

bool vswap_usable(void);
unsigned long vswap_free_pages(void);
unsigned long vswap_used_pages(void);
unsigned long vswap_limit_pages(void);

#else /* CONFIG_VSWAP */

static inline bool vswap_usable(void)
{
	return false;
}

static inline unsigned long vswap_free_pages(void)
{
	return 0;
}

static inline unsigned long vswap_used_pages(void)
{
	return 0;
}

static inline unsigned long vswap_limit_pages(void)
{
	return 0;
}

#endif /* CONFIG_VSWAP */

#endif /* _LINUX_VSWAP_H */
