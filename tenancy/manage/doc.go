// Package manage gives a program the commands to manage its tenants: a tree of cobra commands that
// it mounts.
//
//	root := manage.Command(manage.Config{Open: open}) // open returns a *manage.App
//	root.AddCommand(serve)                            // the program's own
//	os.Exit(manage.Run(ctx, root))
//
// # Commands
//
//	init                                    roles, hardening, shared tables
//	check, drift                            is it safe to serve, is each schema what it should be
//	tenant create, resume, list, show, update, rename, suspend, activate, maintenance on|off
//	tenant drop, drop request|approve|confirm
//	domain list, add, claim, verify, primary, remove, move
//	migrate, migrate status|down|redo|baseline
//	backup, backup list|verify|prune, restore, restore revert|confirm, clone, export, dump
//	erase, erase resume
//	audit tail, verify, heads, export
//	foreach, shell                          a command for each tenant, psql in a tenant's scope
//
// Each says in its --help what it does, with examples and exit codes; a hidden command, man, writes
// man pages, and completion makes a shell complete commands, flags, slugs and schemas.
//
// The program opens its database in [Config].Open, which is called when a command runs and not
// before: help needs none. What an [App] does not have its commands say in one sentence.
//
// # Output
//
// The result goes to the standard output, everything else to the standard error output: progress,
// as a bar on a terminal and as few lines elsewhere, notes, questions, and an error as one
// sentence, without passwords. What tenants or servers have chosen (names, paths, messages) gets to
// a terminal with its control characters escaped. There are colours on a terminal, unless NO_COLOR
// is set.
//
// With --json the result is JSON, in one line: one object, or, from what lists or follows
// something, an object in each line. JSON.md, beside this file, has the names of what is in it, and
// they stay. Plans of migrations are SQL in any case.
//
// # Exit codes
//
//	0    done
//	1    failed
//	2    wrong arguments, or a value that is refused; nothing was changed
//	3    nothing failed, and not all is done: run it again
//	4    found what was looked for: drift, schemas that are behind
//	5    the database is not safe to serve tenants from
//	6    the access log is not what was written
//	7    not confirmed; nothing was changed
//	8    no such tenant, domain, backup or request
//	130  interrupted
//
// # What cannot be taken back
//
// A drop says what will be lost and wants the slug to be typed, or, where nobody can be asked, a
// token and --yes; undoing a migration wants the schema, or --yes. Who runs a command is the
// operating system's user, or whom Config.Actor names: it is in the access log, and a request is
// not approved by who has made it.
package manage
