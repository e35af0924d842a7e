/* SPDX-License-Identifier: MIT */
/*
 * Which container or pod a process is in, by the names that their makers give to cgroups. Pure: from the text of
 * /proc/PID/cgroup (cgroups(7)). Who may make cgroups of his own can give them any name: it is a hint, not a proof.
 */
#ifndef KERN_CONTAINER_H
#define KERN_CONTAINER_H

enum { CONTAINER_ID_SIZE = 256, CONTAINER_POD_SIZE = 72, CONTAINER_PATH_SIZE = 4097 };

struct container {
	/* "docker", "podman", "containerd", "cri-o", "kubernetes" (one of these, which, the path does not tell),
	 * "systemd-nspawn", "lxc"; NULL: not known. A static string. */
	const char *runtime;
	char id[CONTAINER_ID_SIZE];     /* 64 hexadecimal digits, or a name (systemd-nspawn, lxc); "": none */
	char pod[CONTAINER_POD_SIZE];   /* of Kubernetes with '-', or of podman; "": none */
	char path[CONTAINER_PATH_SIZE]; /* of the cgroup: in the unified hierarchy, else systemd's; "": unknown */
};

/** Of containers in containers it is the innermost one. */
void container_parse(const char *text, struct container *ret);

#endif
