/* SPDX-License-Identifier: MIT */
#include "kern/container.h"

#include "base/util.h"

#include <stdbool.h>
#include <string.h>

enum { HEX_ID = 64 };

/* A part of a path between two '/', or of such a part. */
struct part {
	const char *s;
	size_t len;
};

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_hex_id(struct part p)
{
	size_t n = 0;

	while (n < p.len && is_hex(p.s[n]))
		n++;
	return p.len == HEX_ID && n == HEX_ID;
}

static bool take_prefix(struct part *p, const char *prefix)
{
	size_t len = strlen(prefix);

	if (p->len < len || strncmp(p->s, prefix, len) != 0)
		return false;
	p->s += len;
	p->len -= len;
	return true;
}

static bool take_suffix(struct part *p, const char *suffix)
{
	size_t len = strlen(suffix);

	if (p->len < len || strncmp(p->s + p->len - len, suffix, len) != 0)
		return false;
	p->len -= len;
	return true;
}

static bool is(struct part p, const char *word)
{
	return take_prefix(&p, word) && p.len == 0;
}

static void copy(char *to, size_t size, struct part p)
{
	size_t len = p.len < size ? p.len : size - 1;

	memcpy(to, p.s, len);
	to[len] = '\0';
}

/* systemd writes what may not be in the name of a unit as \xNN (systemd.unit(5)). */
static void copy_unescaped(char *to, size_t size, struct part p)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < p.len && n + 1 < size; i++) {
		if (p.len - i >= 4 && p.s[i] == '\\' && p.s[i + 1] == 'x' && is_hex(p.s[i + 2]) && is_hex(p.s[i + 3])) {
			to[n++] = (char)((strchr(digits, p.s[i + 2]) - digits) * 16 +
					 (strchr(digits, p.s[i + 3]) - digits));
			i += 3;
		} else {
			to[n++] = p.s[i];
		}
	}
	to[n] = '\0';
}

/* In front of 64 hexadecimal digits: by the systemd driver "docker-ID.scope", "SLICE:cri-containerd:ID" where a runtime
 * that does not know that driver was given its form. */
static const struct {
	const char *prefix, *runtime;
} prefixes[] = {
	{ "docker-", "docker" },
	{ "libpod-payload-", "podman" }, /* --cgroups=split, of a systemd unit */
	{ "libpod-", "podman" },
	{ "cri-containerd-", "containerd" },
	{ "nerdctl-", "containerd" },
	{ "crio-", "cri-o" },
	{ "docker:", "docker" },
	{ "libpod:", "podman" },
	{ "cri-containerd:", "containerd" },
	{ "nerdctl:", "containerd" },
	{ "crio:", "cri-o" },
};

/* The directory that a part of 64 hexadecimal digits alone is in (the cgroupfs driver). */
static const struct {
	const char *parent, *runtime;
} parents[] = {
	{ "docker", "docker" },      { "actions_job", "docker" }, { "moby", "docker" },
	{ "default", "containerd" }, { "k8s.io", "containerd" },
};

static bool by_prefix(struct part part, struct container *c)
{
	struct part after_slice = part;

	(void)take_suffix(&part, ".scope");
	for (size_t i = 0; i + 7 < part.len; i++)
		if (strncmp(part.s + i, ".slice:", 7) == 0)
			after_slice = (struct part){ part.s + i + 7, part.len - i - 7 };
	if (after_slice.s != part.s)
		part = after_slice;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		struct part id = part;

		if (!take_prefix(&id, prefixes[i].prefix) || !is_hex_id(id))
			continue;
		c->runtime = prefixes[i].runtime;
		copy(c->id, sizeof(c->id), id);
		return true;
	}
	return false;
}

static bool by_id_alone(struct part part, struct part parent, struct container *c)
{
	if (!is_hex_id(part))
		return false;
	copy(c->id, sizeof(c->id), part);
	c->runtime = c->pod[0] != '\0' ? "kubernetes" : NULL;
	for (size_t i = 0; i < ARRAY_LEN(parents); i++)
		if (is(parent, parents[i].parent))
			c->runtime = parents[i].runtime;
	return true;
}

/* systemd-nspawn and LXC: containers with names. */
static bool by_name(struct part part, struct part parent, struct container *c)
{
	struct part name = part;

	if ((take_prefix(&name, "machine-") && take_suffix(&name, ".scope")) ||
	    (take_prefix(&name, "systemd-nspawn@") && take_suffix(&name, ".service"))) {
		struct part kind = name;

		/* libvirt's machines go by such names, too. */
		if (take_prefix(&kind, "qemu\\x2d") || take_prefix(&kind, "lxc\\x2d"))
			return false;
		c->runtime = "systemd-nspawn";
		copy_unescaped(c->id, sizeof(c->id), name);
		return true;
	}
	name = part;
	if (name.len == 0 || (!take_prefix(&name, "lxc.payload.") && !is(parent, "lxc.payload") && !is(parent, "lxc")))
		return false;
	c->runtime = "lxc";
	copy(c->id, sizeof(c->id), name);
	return true;
}

/* "pod74ba62da-1a3d-11e7-bb11-080027cb0e22", "kubepods-burstable-pod74ba62da_1a3d_….slice": Kubernetes;
 * "machine-libpod_pod_ID.slice": podman. */
static bool by_pod(struct part part, struct container *c)
{
	bool slice;
	size_t n;

	for (size_t i = 0; i + 7 < part.len; i++)
		if (strncmp(part.s + i, ".slice:", 7) == 0)
			part.len = i + 6;
	slice = take_suffix(&part, ".slice");
	if (slice && part.len > HEX_ID) {
		struct part id = { part.s + part.len - HEX_ID, HEX_ID }, head = { part.s, part.len - HEX_ID };

		if (take_suffix(&head, "libpod_pod_") && is_hex_id(id)) {
			copy(c->pod, sizeof(c->pod), id);
			return true;
		}
	}
	if (slice && !take_prefix(&part, "kubepods-"))
		return false;
	if (slice && !take_prefix(&part, "burstable-"))
		(void)take_prefix(&part, "besteffort-");
	if (!take_prefix(&part, "pod"))
		return false;
	for (n = 0; n < part.len && (is_hex(part.s[n]) || part.s[n] == '-' || part.s[n] == '_');)
		n++;
	/* A UUID, or the digest that a pod of a file of the node has. */
	if (n != part.len || (n != 36 && n != 32))
		return false;
	copy(c->pod, sizeof(c->pod), part);
	for (char *p = c->pod; *p != '\0'; p++)
		if (*p == '_')
			*p = '-';
	return true;
}

static void parse_path(struct part path, struct container *c)
{
	struct part parent = { "", 0 };

	for (size_t at = 0; at < path.len;) {
		struct part part = { path.s + at, 0 };

		while (at + part.len < path.len && part.s[part.len] != '/')
			part.len++;
		at += part.len + 1;
		if (by_pod(part, c)) {
			c->runtime = "kubernetes";
			c->id[0] = '\0';
		}
		if (!by_prefix(part, c) && !by_id_alone(part, parent, c))
			(void)by_name(part, parent, c);
		parent = part;
	}
	/* A pod without a container is nothing that a process can be in. */
	if (c->id[0] == '\0') {
		c->runtime = NULL;
		c->pod[0] = '\0';
	}
}

/* "HIERARCHY:CONTROLLERS:PATH". @return what the path is worth as the cgroup of the process; 0: no such line */
static int split_line(struct part line, struct part *ret_path)
{
	const char *controllers = memchr(line.s, ':', line.len);
	const char *end = line.s + line.len, *path;
	bool unified, systemd;

	if (controllers == NULL)
		return 0;
	controllers++;
	path = memchr(controllers, ':', (size_t)(end - controllers));
	if (path == NULL || path + 1 == end || path[1] != '/')
		return 0;
	unified = path == controllers;
	systemd = is((struct part){ controllers, (size_t)(path - controllers) }, "name=systemd");
	*ret_path = (struct part){ path + 1, (size_t)(end - path - 1) };
	if (ret_path->len == 1)
		return unified ? 2 : 1; /* the root: where nothing has been put */
	return unified ? 5 : systemd ? 4 : 3;
}

void container_parse(const char *text, struct container *ret)
{
	struct container best = { 0 }, c;
	int worth = 0;

	while (*text != '\0') {
		struct part line = { text, strcspn(text, "\n") }, path;
		int w = split_line(line, &path);

		text += line.len + (text[line.len] == '\n');
		if (w == 0)
			continue;
		if (w > worth) {
			copy(best.path, sizeof(best.path), path);
			worth = w;
		}
		if (best.id[0] != '\0')
			continue;
		c = (struct container){ 0 };
		parse_path(path, &c);
		if (c.id[0] == '\0')
			continue;
		best.runtime = c.runtime;
		memcpy(best.id, c.id, sizeof(best.id));
		memcpy(best.pod, c.pod, sizeof(best.pod));
	}
	*ret = best;
}
