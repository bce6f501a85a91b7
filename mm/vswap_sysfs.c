// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: the mode, as users set it.
 *
 * vswap=MODE on the command line, and /sys/kernel/mm/vswap/mode. Described in
 * Documentation/admin-guide/mm/vswap.rst.
 */
#define pr_fmt(fmt) "vswap: " fmt

#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include "vswap_internal.h"

static const char * const vswap_mode_names[NR_VSWAP_MODES] = {
	[VSWAP_AUTO]	= "auto",
	[VSWAP_ALWAYS]	= "always",
	[VSWAP_NEVER]	= "never",
};

static int __init vswap_setup(char *str)
{
	/* Without "=" there is no string */
	int mode = str ? match_string(vswap_mode_names, NR_VSWAP_MODES, str) : -EINVAL;

	if (mode < 0) {
		pr_err("vswap=%s: unknown mode, known are auto, always and never\n",
		       str ?: "");
		return 0;	/* has been reported */
	}

	vswap_set_mode(mode);
	return 0;
}
early_param("vswap", vswap_setup);

#ifdef CONFIG_SYSFS
static ssize_t mode_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	enum vswap_mode mode = vswap_get_mode();
	int len = 0;

	for (int i = 0; i < NR_VSWAP_MODES; i++)
		len += sysfs_emit_at(buf, len, i == mode ? "%s[%s]" : "%s%s",
				     i ? " " : "", vswap_mode_names[i]);

	return len + sysfs_emit_at(buf, len, "\n");
}

static ssize_t mode_store(struct kobject *kobj, struct kobj_attribute *attr,
			  const char *buf, size_t count)
{
	int mode = __sysfs_match_string(vswap_mode_names, NR_VSWAP_MODES, buf);

	if (mode < 0)
		return -EINVAL;

	vswap_set_mode(mode);
	return count;
}

static struct kobj_attribute mode_attr = __ATTR_RW(mode);

static struct attribute *vswap_attrs[] = {
	&mode_attr.attr,
	NULL,
};

static const struct attribute_group vswap_attr_group = {
	.name = "vswap",
	.attrs = vswap_attrs,
};

static int __init vswap_sysfs_init(void)
{
	int err = sysfs_create_group(mm_kobj, &vswap_attr_group);

	if (err)
		pr_err("no sysfs files: %d\n", err);
	return err;
}
late_initcall(vswap_sysfs_init);
#endif /* CONFIG_SYSFS */
