/* SPDX-License-Identifier: MIT */
#include "kern/caps.h"

#include "base/sys.h"

#include <sys/prctl.h>

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT        47
#define PR_CAP_AMBIENT_IS_SET 1
#define PR_CAP_AMBIENT_RAISE  2
#define PR_CAP_AMBIENT_LOWER  3
#endif

/* The kernel's own layout, _LINUX_CAPABILITY_VERSION_3: two 32-bit halves of each set. */
struct cap_header {
	uint32_t version;
	int pid;
};
struct cap_half {
	uint32_t effective, permitted, inheritable;
};
#define CAP_VERSION_3 0x20080522u

int caps_get(struct caps *ret)
{
	struct cap_header head = { CAP_VERSION_3, 0 };
	struct cap_half half[2] = { { 0 } };
	int r = (int)sys_call(SYS_capget, &head, half);

	if (r < 0)
		return r;
	ret->effective = half[0].effective | (uint64_t)half[1].effective << 32;
	ret->permitted = half[0].permitted | (uint64_t)half[1].permitted << 32;
	ret->inheritable = half[0].inheritable | (uint64_t)half[1].inheritable << 32;
	return 0;
}

int caps_set(const struct caps *caps)
{
	struct cap_header head = { CAP_VERSION_3, 0 };
	struct cap_half half[2];

	for (int i = 0; i < 2; i++) {
		half[i].effective = (uint32_t)(caps->effective >> (32 * i));
		half[i].permitted = (uint32_t)(caps->permitted >> (32 * i));
		half[i].inheritable = (uint32_t)(caps->inheritable >> (32 * i));
	}
	return (int)sys_call(SYS_capset, &head, half);
}

int caps_raise_ambient(uint64_t set)
{
	struct caps caps;
	int r = caps_get(&caps);

	if (r < 0)
		return r;
	set &= caps.permitted;
	caps.inheritable |= set;
	r = caps_set(&caps);
	for (int cap = 0; r == 0 && cap < 64; cap++)
		if (set & CAP_BIT(cap))
			r = (int)sys_call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	return r;
}

uint64_t caps_ambient(uint64_t among)
{
	uint64_t set = 0;

	for (int cap = 0; cap < 64; cap++)
		if ((among & CAP_BIT(cap)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
			set |= CAP_BIT(cap);
	return set;
}

int caps_drop_ambient(uint64_t ambient, uint64_t inheritable)
{
	struct caps caps;
	int r = caps_get(&caps);

	if (r < 0)
		return r;
	/* What is inheritable no more is not ambient any more either (capabilities(7)): that leaves what stays so. */
	for (int cap = 0; cap < 64; cap++)
		if ((caps.inheritable & inheritable & ~ambient) & CAP_BIT(cap))
			(void)sys_call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, cap, 0, 0);
	caps.inheritable = inheritable;
	return caps_set(&caps);
}
