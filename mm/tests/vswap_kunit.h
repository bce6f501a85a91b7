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

static void vswap_test_shrink(struct kunit *test)
{
	struct vswap_test *t = test->priv;

	KUNIT_EXPECT_TRUE(test, vswap_shrink_array(&t->si, &t->array, 0));
	KUNIT_EXPECT_EQ(test, t->array.nr_mapped, t->array.nr_pages);
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

	if (!t)
		return;
	vswap_test_shrink(test);
	KUNIT_EXPECT_EQ(test, t->array.nr_pages, 0);
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

/* Shrinking stops at a cluster in use, and clusters come back clean. */
static void vswap_test_shrink_to_used(struct kunit *test)
{
	unsigned long per_page = PAGE_SIZE / sizeof(struct swap_cluster_info);
	struct vswap_test *t = test->priv;
	struct swap_cluster_info *ci;
	unsigned long used = per_page / 2;

	while (!vswap_test_grow(t))
		;
	ci = vswap_test_cluster(t, used);
	KUNIT_ASSERT_TRUE(test, vswap_del_free_cluster(&t->si, ci));
	KUNIT_EXPECT_FALSE(test, vswap_del_free_cluster(&t->si, ci));

	vswap_test_shrink(test);
	KUNIT_EXPECT_EQ(test, t->array.nr_pages,
			PFN_UP((used + 1) * sizeof(*ci)));
	KUNIT_EXPECT_GT(test, t->si.max, used * SWAPFILE_CLUSTER);
	/* What is left of the page is still to be had */
	KUNIT_EXPECT_EQ(test, list_count_nodes(&t->si.free_clusters),
			t->si.max / SWAPFILE_CLUSTER - 2);

	/* Leave something behind that has to be gone when it comes back */
	vswap_add_free_cluster(&t->si, ci);
	ci->order = 3;
	vswap_test_shrink(test);
	KUNIT_EXPECT_EQ(test, t->array.nr_pages, 0);
	KUNIT_EXPECT_EQ(test, t->si.max, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->si.free_clusters));

	KUNIT_ASSERT_EQ(test, vswap_test_grow(t), 0);
	KUNIT_EXPECT_EQ(test, ci->order, 0);
	KUNIT_EXPECT_EQ(test, ci->count, 0);
	KUNIT_EXPECT_EQ(test, ci->flags, CLUSTER_FLAG_FREE);
}

/* A cluster that spans two pages keeps both, or is not there at all. */
static void vswap_test_straddle(struct kunit *test)
{
	size_t size = sizeof(struct swap_cluster_info);
	struct vswap_test *t = test->priv;
	unsigned long last;

	KUNIT_ASSERT_EQ(test, vswap_test_grow(t), 0);
	KUNIT_ASSERT_EQ(test, vswap_test_grow(t), 0);
	last = t->si.max / SWAPFILE_CLUSTER;
	KUNIT_EXPECT_LE(test, last * size, 2 * PAGE_SIZE);
	KUNIT_EXPECT_GT(test, (last + 1) * size, 2 * PAGE_SIZE);

	/* The first cluster that needs the second page */
	last = PAGE_SIZE / size;
	KUNIT_ASSERT_TRUE(test, vswap_del_free_cluster(&t->si, vswap_test_cluster(t, last)));
	vswap_test_shrink(test);
	KUNIT_EXPECT_EQ(test, t->array.nr_pages, 2);
	vswap_add_free_cluster(&t->si, vswap_test_cluster(t, last));
}

/* Entries that nothing pins are checked against the end. */
static void vswap_test_find(struct kunit *test)
{
	struct vswap_test *t = test->priv;

	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, vswap_find_cluster(&t->si, 0));
	rcu_read_unlock();
	KUNIT_ASSERT_EQ(test, vswap_test_grow(t), 0);
	rcu_read_lock();
	KUNIT_EXPECT_PTR_EQ(test, vswap_find_cluster(&t->si, t->si.max - 1),
			    vswap_test_cluster(t, t->si.max / SWAPFILE_CLUSTER - 1));
	KUNIT_EXPECT_NULL(test, vswap_find_cluster(&t->si, t->si.max));
	KUNIT_EXPECT_NULL(test, vswap_find_cluster(&t->si, ULONG_MAX));
	rcu_read_unlock();
}

static struct page *vswap_test_no_page(void)
{
	return NULL;
}

/* Take pages of clusters out of use, as shrinking does before it waits. */
static unsigned long vswap_test_retire(struct vswap_test *t, unsigned long nr)
{
	unsigned long i;

	mutex_lock(&vswap_mutex);
	t->array.grown = false;
	for (i = 0; i < nr; i++) {
		if (!vswap_retire_page(&t->si, &t->array))
			break;
	}
	mutex_unlock(&vswap_mutex);
	return i;
}

/* Who wants to grow gets back what shrinking has not unmapped yet. */
static void vswap_test_grow_while_shrinking(struct kunit *test)
{
	struct vswap_test *t = test->priv;
	struct swap_cluster_info *ci;
	unsigned long max, grow;
	LIST_HEAD(pages);

	for (int i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, vswap_test_grow(t), 0);
	max = t->si.max;
	ci = vswap_test_cluster(t, max / SWAPFILE_CLUSTER - 1);
	KUNIT_EXPECT_EQ(test, vswap_test_retire(t, 2), 2);
	KUNIT_EXPECT_EQ(test, t->array.nr_pages, 1);
	KUNIT_EXPECT_EQ(test, t->array.nr_mapped, 3);
	KUNIT_EXPECT_EQ(test, t->si.max / SWAPFILE_CLUSTER,
			vswap_nr_clusters(&t->array, 1));
	KUNIT_EXPECT_EQ(test, list_count_nodes(&t->si.free_clusters),
			t->si.max / SWAPFILE_CLUSTER - 1);

	/* A stale entry was looked up before: its cluster stays what it is */
	spin_lock(&ci->lock);
	KUNIT_EXPECT_EQ(test, ci->flags, CLUSTER_FLAG_NONE);
	spin_unlock(&ci->lock);

	/* Needs no memory, and is no growth */
	kunit_activate_static_stub(test, vswap_alloc_page, vswap_test_no_page);
	grow = vswap_event_count(VSWAP_GROW);
	KUNIT_EXPECT_EQ(test, vswap_test_grow(t), 0);
	KUNIT_EXPECT_TRUE(test, t->array.grown);
	KUNIT_EXPECT_EQ(test, t->array.nr_pages, 2);
	KUNIT_EXPECT_EQ(test, vswap_test_grow(t), 0);
	KUNIT_EXPECT_EQ(test, t->si.max, max);
	KUNIT_EXPECT_EQ(test, ci->flags, CLUSTER_FLAG_FREE);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&t->si.free_clusters),
			max / SWAPFILE_CLUSTER - 1);
	KUNIT_EXPECT_EQ(test, vswap_test_grow(t), -ENOMEM);
	KUNIT_EXPECT_EQ(test, t->array.nr_mapped, 3);
	KUNIT_EXPECT_EQ(test, t->si.max, max);
	kunit_deactivate_static_stub(test, vswap_alloc_page);
	KUNIT_EXPECT_EQ(test, vswap_event_count(VSWAP_GROW), grow);

	/* Some is taken back, the rest is unmapped at one go */
	KUNIT_EXPECT_EQ(test, vswap_test_retire(t, 3), 3);
	KUNIT_EXPECT_EQ(test, vswap_test_grow(t), 0);
	synchronize_rcu();
	mutex_lock(&vswap_mutex);
	vswap_unmap_pages(&t->array, &pages);
	mutex_unlock(&vswap_mutex);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&pages), 2);
	KUNIT_EXPECT_EQ(test, t->array.nr_mapped, 1);
	vswap_free_unmapped(&pages);

	/* The cluster that spans two pages comes back clean */
	KUNIT_EXPECT_EQ(test, vswap_test_grow(t), 0);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&t->si.free_clusters),
			t->si.max / SWAPFILE_CLUSTER - 1);
}

/* What has been in use of late is kept. */
static void vswap_test_shrink_keeps(struct kunit *test)
{
	struct vswap_test *t = test->priv;

	while (!vswap_test_grow(t))
		;
	KUNIT_EXPECT_TRUE(test, vswap_shrink_array(&t->si, &t->array, 2));
	KUNIT_EXPECT_EQ(test, t->array.nr_pages, 2);
	KUNIT_EXPECT_EQ(test, t->array.nr_mapped, 2);
	KUNIT_EXPECT_TRUE(test, vswap_shrink_array(&t->si, &t->array, 3));
	KUNIT_EXPECT_EQ(test, t->array.nr_pages, 2);
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
	unsigned int before = vswap_ops.flags;

	/* No others come or go at boot */
	for (int i = 0; i < ARRAY_SIZE(si); i++) {
		vswap_note_device(&si[i]);
		KUNIT_EXPECT_TRUE(test, vswap_ops.flags & SWAP_OPS_F_REQUIRE_NOFS);
	}
	for (int i = 0; i < ARRAY_SIZE(si); i++) {
		KUNIT_EXPECT_TRUE(test, vswap_ops.flags & SWAP_OPS_F_REQUIRE_NOFS);
		vswap_forget_device(&si[i]);
	}
	KUNIT_EXPECT_EQ(test, vswap_ops.flags, before);
}

static struct kunit_case vswap_test_cases[] = {
	KUNIT_CASE(vswap_test_grow_to_limit),
	KUNIT_CASE(vswap_test_shrink_to_used),
	KUNIT_CASE(vswap_test_straddle),
	KUNIT_CASE(vswap_test_find),
	KUNIT_CASE(vswap_test_grow_fail),
	KUNIT_CASE(vswap_test_grow_while_shrinking),
	KUNIT_CASE(vswap_test_shrink_keeps),
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
