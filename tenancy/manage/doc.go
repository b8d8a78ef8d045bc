// Package manage provides the commands to manage the tenants of a program, as a tree of cobra
// commands.
//
//	root := manage.Command(manage.Config{Open: open}) // open returns a *manage.App
//	root.AddCommand(serve)                            // the program's own
//	os.Exit(manage.Run(ctx, root))
//
// # Commands
//
//	init                                    roles, hardening, shared tables
//	check, drift                            safety of the database, drift of schemas
//	tenant create, resume, list, show, update, rename, suspend, activate, maintenance on|off
//	tenant drop, drop request|approve|confirm
//	domain list, add, claim, verify, primary, remove, move
//	migrate, migrate status|down|redo|baseline|accept
//	backup, backup list|verify|prune|adopt, restore, restore request|revert|confirm
//	clone, export, dump                     a copy of a tenant, files to hand over
//	erase, erase resume
//	audit tail, verify, heads, export
//	foreach, shell                          a command for each tenant, psql in a tenant's scope
//
// The --help of each command describes it with examples and exit codes. The hidden command man
// writes man pages. The command completion sets up shell completion of commands, flags, slugs and
// schemas.
//
// The program opens its database in [Config].Open, which is called when a command runs; help needs
// no database. A command that needs a field that the [App] does not set fails with one sentence.
//
// # Output
//
// The result goes to standard output. Progress, notes, questions and errors go to standard error:
// progress as a bar on a terminal and as few lines elsewhere, an error as one sentence without
// passwords. Control characters in text from tenants or servers (names, paths, messages) are
// escaped on a terminal. A terminal gets colours unless NO_COLOR is set.
//
// With --json the result is one JSON object on a line; commands that list or follow write one
// object per line. JSON.md in this directory documents the names, which are stable. Migration plans
// are always SQL.
//
// # Exit codes
//
//	0    done
//	1    failed
//	2    wrong arguments, or a value that is refused; nothing was changed
//	3    nothing failed, but work is left: run it again
//	4    found drift, or schemas that are behind
//	5    the database is not safe to serve tenants from
//	6    the access log was tampered with
//	7    not confirmed; nothing was changed
//	8    no such tenant, domain, backup or request
//	130  interrupted
//
// # Irreversible commands
//
// A drop lists what will be lost and asks for the slug; without a terminal it needs a token and
// --yes. Undoing a migration asks for the schema, or needs --yes. The actor of a command is the
// user of the operating system, or the result of Config.Actor. The access log has the actor, and
// the actor of a drop request cannot approve it.
package manage
