/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual swap space: what the rest of the kernel asks about it.
 * See Documentation/mm/vswap.rst.
 */
#ifndef _LINUX_VSWAP_H
#define _LINUX_VSWAP_H

#include <linux/minmax.h>
#include <linux/types.h>

#ifdef CONFIG_VSWAP

bool vswap_is_usable(void);
unsigned long vswap_headroom_pages(void);
unsigned long vswap_offdevice_pages(void);
unsigned long vswap_overcommit_pages(void);

/* Slots of devices are fewer than none while a device is being switched off. */
static inline long vswap_add_headroom_pages(long nr_device_pages)
{
	return max(nr_device_pages, 0L) + vswap_headroom_pages();
}

#else /* CONFIG_VSWAP */

static inline bool vswap_is_usable(void)
{
	return false;
}

static inline long vswap_add_headroom_pages(long nr_device_pages)
{
	return nr_device_pages;
}

static inline unsigned long vswap_offdevice_pages(void)
{
	return 0;
}

static inline unsigned long vswap_overcommit_pages(void)
{
	return 0;
}

#endif /* CONFIG_VSWAP */

#endif /* _LINUX_VSWAP_H */
