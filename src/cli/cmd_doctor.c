/* SPDX-License-Identifier: MIT */
/* pidbox doctor: what works here, what does not, and the one fix */
#include "base/sink.h"
#include "base/util.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

struct doctoring {
	bool json, semantics, install, remove;
	struct pidbox_doctor *doctor;
};

enum { NO_DEFAULT_BOX = 1 };

static const char *const status_words[] = {
	[PIDBOX_CHECK_WORKS] = "works",
	[PIDBOX_CHECK_LIMITED] = "limited",
	[PIDBOX_CHECK_REFUSED] = "refused",
};
static const enum table_colour status_colours[] = {
	[PIDBOX_CHECK_WORKS] = TABLE_GREEN,
	[PIDBOX_CHECK_LIMITED] = TABLE_YELLOW,
	[PIDBOX_CHECK_REFUSED] = TABLE_BOLD,
};

/* ------------------------------------------------------------ JSON */

static void put_text(struct sink *s, const char *key, const char *text)
{
	sink_str(s, key);
	if (text != NULL && text[0] != '\0')
		sink_json(s, text, strlen(text));
	else
		sink_str(s, "null");
}

static void put_check(struct sink *s, const struct pidbox_check *c)
{
	put_text(s, "{\"name\":", c->name);
	put_text(s, ",\"status\":", status_words[c->status]);
	put_text(s, ",\"code\":", pidbox_code_name(c->code));
	put_text(s, ",\"layer\":", c->layer);
	put_text(s, ",\"why\":", c->why);
	put_text(s, ",\"fix\":", c->fix);
	sink_str(s, "}");
}

static void put_rule(struct sink *s, const struct pidbox_rule *r)
{
	put_text(s, "{\"rule\":", r->rule);
	sink_str(s, r->holds < 0 ? ",\"holds\":null" : r->holds == 1 ? ",\"holds\":true" : ",\"holds\":false");
	put_text(s, ",\"observed\":", r->observed);
	sink_str(s, "}");
}

static int print_json(const struct doctoring *d)
{
	struct pidbox_check c;
	struct pidbox_rule r;
	char buf[4096];
	struct sink s = SINK_STDOUT(buf, sizeof(buf));

	sink_str(&s, pidbox_doctor_default_box(d->doctor) ? "{\"schema\":1,\"default_box\":true,\"checks\":["
							  : "{\"schema\":1,\"default_box\":false,\"checks\":[");
	for (size_t i = 0; pidbox_doctor_check(d->doctor, i, &c) == 0; i++) {
		sink_str(&s, i > 0 ? "," : "");
		put_check(&s, &c);
	}
	for (size_t i = 0; pidbox_doctor_rule(d->doctor, i, &r) == 0; i++) {
		sink_str(&s, i > 0 ? "," : "],\"semantics\":[");
		put_rule(&s, &r);
	}
	sink_str(&s, "]}\n");
	return finish_sink(&s);
}

/* ------------------------------------------------------------ for people */

static void put_words(const char *head, const char *words)
{
	char *text = table_harmless(words, strlen(words));

	(void)printf("  %s: %s\n", head, text != NULL ? text : "");
	free(text);
}

/* What is found of a thing that works fits on its line. */
static void put_seen(const char *seen)
{
	char *text = seen != NULL ? table_harmless(seen, strlen(seen)) : NULL;

	(void)printf(text != NULL ? " (%s)\n" : "\n", text);
	free(text);
}

static bool same(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

/* One cause refuses many things; it is told once. @return the check that has told it, or NULL */
static const char *told_by(const struct doctoring *d, size_t index, const struct pidbox_check *c,
			   struct pidbox_check *was)
{
	for (size_t i = 0; i < index && pidbox_doctor_check(d->doctor, i, was) == 0; i++)
		if (was->status != PIDBOX_CHECK_WORKS && was->code == c->code && same(was->why, c->why) &&
		    same(was->fix, c->fix))
			return was->name;
	return NULL;
}

static void print_check(const struct doctoring *d, size_t index, const struct pidbox_check *c)
{
	enum table_colour colour = status_colours[c->status];
	struct pidbox_check was;
	const char *before;

	(void)printf("%s%-7s%s  %s", table_begin(colour), status_words[c->status], table_end(colour), c->name);
	if (c->layer != NULL)
		(void)printf(", by: %s", c->layer);
	if (c->code != PIDBOX_CODE_NONE)
		(void)printf(" [%s]", pidbox_code_name(c->code));
	if (c->status == PIDBOX_CHECK_WORKS) {
		put_seen(c->why);
		return;
	}
	before = told_by(d, index, c, &was);
	if (before != NULL) {
		(void)printf(" (as %s)\n", before);
		return;
	}
	(void)printf("\n");
	if (c->why != NULL)
		put_words("why", c->why);
	if (c->fix != NULL)
		put_words("fix", c->fix);
}

static const char *rule_word(int holds)
{
	return holds < 0 ? "untried" : holds == 1 ? "holds" : "broken";
}

static void print_rules(const struct doctoring *d)
{
	struct pidbox_rule r;

	for (size_t i = 0; pidbox_doctor_rule(d->doctor, i, &r) == 0; i++) {
		enum table_colour colour = r.holds == 1 ? TABLE_GREEN : r.holds == 0 ? TABLE_BOLD : TABLE_YELLOW;

		(void)printf("%s%s%-7s%s  %s: %s\n", i == 0 ? "\n" : "", table_begin(colour), rule_word(r.holds),
			     table_end(colour), r.rule, r.says);
		put_words("seen", r.observed);
	}
}

static int print_checks(const struct doctoring *d)
{
	struct pidbox_check c;

	for (size_t i = 0; pidbox_doctor_check(d->doctor, i, &c) == 0; i++)
		print_check(d, i, &c);
	print_rules(d);
	(void)printf("\n%s\n", pidbox_doctor_default_box(d->doctor) ? "A default box works here: pidbox run COMMAND"
								    : "A default box does not work here.");
	return finish_output();
}

/* Where a profile of its own is the fix, for who has to do it by hand. */
static bool wants_profile(const struct doctoring *d)
{
	struct pidbox_check c;

	for (size_t i = 0; pidbox_doctor_check(d->doctor, i, &c) == 0; i++)
		if (c.fix != NULL && strstr(c.fix, "--install-apparmor") != NULL)
			return true;
	return false;
}

static void print_profile(void)
{
	char text[16384];
	size_t n = pidbox_apparmor_profile(text, sizeof(text));

	if (n > 0 && n < sizeof(text))
		(void)printf("The profile, %s:\n\n%s", pidbox_apparmor_path(), text);
}

/* ------------------------------------------------------------ AppArmor */

static int report_error(const struct pidbox_error *err)
{
	out_error(err);
	return PIDBOX_EXIT_FAILED;
}

static int install(void)
{
	struct pidbox_error err;
	int r = pidbox_apparmor_install(&err);

	if (r < 0 && err.code == PIDBOX_CODE_DENIED)
		print_profile();
	if (r < 0)
		return finish_output() != 0 ? PIDBOX_EXIT_FAILED : report_error(&err);
	(void)printf(r == 1 ? "%s is written and loaded\n"
			    : "%s is written; there is no apparmor_parser in PATH to load it (package apparmor)\n",
		     pidbox_apparmor_path());
	return finish_output();
}

static int remove_it(void)
{
	struct pidbox_error err;
	int r = pidbox_apparmor_remove(&err);

	if (r < 0)
		return report_error(&err);
	(void)printf(r == 1 ? "%s is removed\n" : "there is no %s\n", pidbox_apparmor_path());
	return finish_output();
}

/* ------------------------------------------------------------ the whole */

static int examine(struct doctoring *d)
{
	struct pidbox_error err;
	int status;

	if (pidbox_doctor(d->semantics ? PIDBOX_DOCTOR_SEMANTICS : 0, &d->doctor, &err) < 0)
		return report_error(&err);
	if (!d->json && wants_profile(d)) {
		(void)print_checks(d);
		(void)printf("\n");
		print_profile();
		status = finish_output();
	} else {
		status = d->json ? print_json(d) : print_checks(d);
	}
	if (status == 0 && !pidbox_doctor_default_box(d->doctor))
		status = NO_DEFAULT_BOX;
	pidbox_doctor_free(d->doctor);
	return status;
}

int cmd_doctor(int argc, char **argv)
{
	struct doctoring d = { 0 };
	const struct args_option options[] = {
		{ .name = "json", .help = "one JSON document", .flag = &d.json },
		{ .name = "semantics",
		  .help = "also play the kernel's rules of PID namespaces, R1 to R10",
		  .flag = &d.semantics },
		{ .name = "install-apparmor",
		  .help = "write and load an AppArmor profile for this one program (root)",
		  .flag = &d.install },
		{ .name = "remove-apparmor", .help = "take that profile away (root)", .flag = &d.remove },
	};
	const struct args args = {
		.verb = "doctor",
		.about = "Say what works on this machine for you and what does not, which layer refuses, and the one "
			 "fix.\nEverything is tried in children that are thrown away; nothing is changed.",
		.more = "Exit status: 0 when a default box works here, 1 when it does not, 125 after an error. See "
			"pidbox-doctor(1).",
		.options = options,
		.n_options = ARRAY_LEN(options),
	};
	int at;

	if (!args_parse(&args, argc, argv, &at))
		return at;
	if (d.install + d.remove + (d.json || d.semantics) > 1)
		return args_error(&args, "give one of them", "--install-apparmor and --remove-apparmor do that alone");
	return d.install ? install() : d.remove ? remove_it() : examine(&d);
}
