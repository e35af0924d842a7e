/* SPDX-License-Identifier: MIT */
#ifndef KERN_NET_H
#define KERN_NET_H

/** Bring the loopback device of the caller's network namespace up (netdevice(7)). Async-signal-safe. @return 0, -errno
 */
int net_loopback_up(void);

#endif
