/* SPDX-License-Identifier: MIT */
#include "core/address.h"

#include "base/err.h"
#include "base/parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* <ctype.h> asks the locale. */
static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool address_is_name(const char *text, size_t len)
{
	if (len == 0 || len >= ADDRESS_NAME_SIZE || !is_letter(text[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_letter(text[i]) && !is_digit(text[i]) && strchr("_.-", text[i]) == NULL)
			return false;
	return true;
}

void address_why_no_name(const char *text, char ret[64])
{
	const char *bad = text;

	while (is_letter(*bad) || (bad > text && (is_digit(*bad) || (*bad != '\0' && strchr("_.-", *bad) != NULL))))
		bad++;
	if (text[0] == '\0')
		(void)snprintf(ret, 64, "it is empty");
	else if (*bad == '\0')
		(void)snprintf(ret, 64, "it is %zu bytes long", strlen(text));
	else if (bad == text && is_digit(*bad))
		(void)snprintf(ret, 64, "it begins with a digit");
	else if (*bad < ' ' || *bad > '~') /* where char is signed the bytes of UTF-8 are below */
		(void)snprintf(ret, 64, "it has a byte in it that no name has");
	else
		(void)snprintf(ret, 64, bad == text ? "it begins with '%c'" : "it has '%c' in it", *bad);
}

static int parse_name(const char *text, struct address *a)
{
	const char *at = strchr(text, '@');
	size_t len = at != NULL ? (size_t)(at - text) : strlen(text);

	if (!address_is_name(text, len))
		return -EINVAL;
	a->kind = ADDRESS_NAME;
	memcpy(a->name, text, len);
	if (at == NULL)
		return 0;
	len = strlen(++at);
	if (len == 0 || len >= sizeof(a->user))
		return -EINVAL;
	memcpy(a->user, at, len);
	return 0;
}

static int parse_container(const char *text, struct address *a)
{
	size_t len = strlen(text);

	if (len == 0 || len >= sizeof(a->container))
		return -EINVAL;
	a->kind = ADDRESS_CONTAINER;
	for (size_t i = 0; i < len; i++) {
		char c = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] - 'A' + 'a') : text[i];

		if (!is_digit(c) && (c < 'a' || c > 'f'))
			return -EINVAL;
		a->container[i] = c;
	}
	return 0;
}

static int parse_namespace(const char *text, struct address *a)
{
	a->kind = ADDRESS_NAMESPACE;
	return parse_digits(&text, &a->pid_namespace) < 0 || *text != '\0' || a->pid_namespace == 0 ? -EINVAL : 0;
}

static int parse_process(const char *text, struct address *a)
{
	uint32_t pid;

	a->kind = ADDRESS_ID;
	if (pidref_parse(text, &a->id) == 0)
		return 0;
	a->kind = ADDRESS_PID;
	if (parse_u32(text, 1, INT32_MAX, &pid) < 0)
		return -EINVAL;
	a->id.pid = (pid_t)pid;
	return 0;
}

static int parse_box(const char *text, struct address *a)
{
	if (strncmp(text, "ns:", 3) == 0)
		return parse_namespace(text + 3, a);
	if (strncmp(text, "id:", 3) == 0)
		return parse_container(text + 3, a);
	return is_digit(text[0]) ? parse_process(text, a) : parse_name(text, a);
}

static int malformed(const char *text, const char *why, struct pidbox_error *err)
{
	int r = err_set(err, 0, PIDBOX_CODE_USAGE, "reading the name of a box, \"%.100s\"", text);

	err_why(err, "%s", why);
	err_fix(err,
		"give NAME, NAME@USER, PID, PID:INODE, ns:NUMBER or id:HEXDIGITS, or one of these with /PID behind "
		"it; `pidbox ls` shows what there is");
	return r;
}

int address_parse(const char *text, struct address *ret, struct pidbox_error *err)
{
	struct address a = { .id = PIDREF_NONE };
	const char *slash = strrchr(text, '/');
	char box[ADDRESS_NAME_SIZE + ADDRESS_USER_SIZE];
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	uint32_t inside;

	if (len == 0 && slash == NULL)
		return malformed(text, "it is empty", err);
	if (slash != NULL && parse_u32(slash + 1, 1, INT32_MAX, &inside) < 0)
		return malformed(text, "what follows the \"/\" is no PID", err);
	if (len >= sizeof(box))
		return malformed(text, "it is longer than a box can be called", err);
	memcpy(box, text, len);
	box[len] = '\0';
	if (parse_box(box, &a) < 0)
		return malformed(text, "it is no name, no PID, and none of the other ways to name a box", err);
	if (slash != NULL)
		a.inside_pid = (pid_t)inside;
	*ret = a;
	return 0;
}
