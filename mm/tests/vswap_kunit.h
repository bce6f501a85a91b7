/* SPDX-License-Identifier: GPL-2.0 */
/* KUnit tests of the virtual swap device, included by mm/vswap.c */

#include <kunit/test.h>

#define VSWAP_TEST_CLUSTERS	300

/* A device of its own that nobody else knows. */
struct vswap_test {
	struct swap_info_struct si;
	struct vswap_array array;
};

static int vswap_test_init(struct kunit *test)
{
	struct vswap_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	spin_lock_init(&t->si.lock);
	swap_init_cluster_lists(&t->si);
	t->array.max_clusters = VSWAP_TEST_CLUSTERS;
	t->array.area = get_vm_area(vswap_max_pages(&t->array) << PAGE_SHIFT,
				    VM_SPARSE);
	KUNIT_ASSERT_NOT_NULL(test, t->array.area);
	t->si.cluster_info = t->array.area->addr;
	test->priv = t;
	return 0;
}

static int vswap_test_grow(struct vswap_test *t)
{
	int err;

	mutex_lock(&vswap_mutex);
	err = vswap_grow_array(&t->si, &t->array);
	mutex_unlock(&vswap_mutex);
	return err;
}

static void vswap_test_exit(struct kunit *test)
{
	struct vswap_test *t = test->priv;
	unsigned long start, end;
	struct page *page, *next;
	LIST_HEAD(pages);

	if (!t)
		return;
	start = vswap_page_addr(&t->array, 0);
	end = vswap_page_addr(&t->array, t->array.nr_pages);
	for (unsigned long addr = start; addr < end; addr += PAGE_SIZE) {
		list_add(&vmalloc_to_page((void *)addr)->lru, &pages);
		kmemleak_free((void *)addr);
	}
	if (end > start)
		vm_area_unmap_pages(t->array.area, start, end);
	list_for_each_entry_safe(page, next, &pages, lru)
		__free_page(page);
	free_vm_area(t->array.area);
}

static struct swap_cluster_info *vswap_test_cluster(struct vswap_test *t,
						    unsigned long i)
{
	return &t->si.cluster_info[i];
}

/* The end moves page by page, up to the limit and not further. */
static void vswap_test_grow_to_limit(struct kunit *test)
{
	struct vswap_test *t = test->priv;
	unsigned long pages = vswap_max_pages(&t->array), old = 0;

	for (unsigned long i = 1; i <= pages; i++) {
		KUNIT_ASSERT_EQ(test, vswap_test_grow(t), 0);
		KUNIT_EXPECT_EQ(test, t->array.nr_pages, i);
		KUNIT_EXPECT_GT(test, t->si.max, old);
		KUNIT_EXPECT_EQ(test, t->si.max % SWAPFILE_CLUSTER, 0);
		old = t->si.max;
	}
	KUNIT_EXPECT_EQ(test, t->si.max,
			VSWAP_TEST_CLUSTERS * SWAPFILE_CLUSTER);
	/* All but cluster 0 are free, in order */
	KUNIT_EXPECT_EQ(test, list_count_nodes(&t->si.free_clusters),
			VSWAP_TEST_CLUSTERS - 1);
	KUNIT_EXPECT_PTR_EQ(test, vswap_test_cluster(t, 1),
			    list_first_entry(&t->si.free_clusters,
					     struct swap_cluster_info, list));
	/* Exhausted */
	KUNIT_EXPECT_EQ(test, vswap_test_grow(t), -ENOSPC);
	KUNIT_EXPECT_EQ(test, t->array.nr_pages, pages);
	KUNIT_EXPECT_EQ(test, t->si.max, old);
}

/* A cluster that spans two pages is not there before both are. */
static void vswap_test_straddle(struct kunit *test)
{
	size_t size = sizeof(struct swap_cluster_info);
	struct vswap_test *t = test->priv;
	unsigned long last;

	for (int pages = 1; pages <= 2; pages++) {
		KUNIT_ASSERT_EQ(test, vswap_test_grow(t), 0);
		last = t->si.max / SWAPFILE_CLUSTER;
		KUNIT_EXPECT_LE(test, last * size, pages * PAGE_SIZE);
		KUNIT_EXPECT_GT(test, (last + 1) * size, pages * PAGE_SIZE);
	}
}

static struct page *vswap_test_no_page(void)
{
	return NULL;
}

/* Without memory nothing changes, and the next attempt works. */
static void vswap_test_grow_fail(struct kunit *test)
{
	struct vswap_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, vswap_test_grow(t), 0);
	kunit_activate_static_stub(test, vswap_alloc_page, vswap_test_no_page);
	KUNIT_EXPECT_EQ(test, vswap_test_grow(t), -ENOMEM);
	KUNIT_EXPECT_EQ(test, t->array.nr_pages, 1);
	kunit_deactivate_static_stub(test, vswap_alloc_page);
	KUNIT_EXPECT_EQ(test, vswap_test_grow(t), 0);
	KUNIT_EXPECT_EQ(test, t->array.nr_pages, 2);
}

/* Where a device is in use that must not be written to from within a file system */
static void vswap_test_devices(struct kunit *test)
{
	static const struct swap_ops disk, net = { .flags = SWAP_OPS_F_REQUIRE_NOFS };
	/* Too large for the stack */
	static struct swap_info_struct si[] = {
		{ .ops = &net }, { .ops = &disk }, { .ops = &net },
	};
	const struct swap_ops *before = vswap_info->ops;

	/* No others come or go at boot */
	for (int i = 0; i < ARRAY_SIZE(si); i++) {
		vswap_add_device(&si[i]);
		KUNIT_EXPECT_TRUE(test, vswap_info->ops->flags & SWAP_OPS_F_REQUIRE_NOFS);
	}
	for (int i = 0; i < ARRAY_SIZE(si); i++) {
		KUNIT_EXPECT_TRUE(test, vswap_info->ops->flags & SWAP_OPS_F_REQUIRE_NOFS);
		vswap_remove_device(&si[i]);
	}
	KUNIT_EXPECT_PTR_EQ(test, vswap_info->ops, before);
}

static struct kunit_case vswap_test_cases[] = {
	KUNIT_CASE(vswap_test_grow_to_limit),
	KUNIT_CASE(vswap_test_straddle),
	KUNIT_CASE(vswap_test_grow_fail),
	KUNIT_CASE(vswap_test_devices),
	{}
};

static struct kunit_suite vswap_test_suite = {
	.name = "vswap",
	.init = vswap_test_init,
	.exit = vswap_test_exit,
	.test_cases = vswap_test_cases,
};

kunit_test_suite(vswap_test_suite);
