package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"time"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// command is something to be done with a school beside serving it.
type command struct {
	name, usage, help string
	least, most       int // arguments
	run               func(ctx context.Context, p *platform, args []string, stdout io.Writer) error
}

var commands = []command{
	{"backup", "SCHOOL", "back up a school", 1, 1, backUp},
	{"drill", "SCHOOL", "try whether its newest backup can be restored", 1, 1, drill},
	{"restore", "SCHOOL [NEW]", "put it back as in its newest backup, or make the new school NEW of that", 1, 2, restore},
	{"revert", "SCHOOL", "take back a restore", 1, 1, revert},
	{"confirm", "SCHOOL", "drop what a restore has set aside", 1, 1, confirm},
	{"log", "SCHOOL", "show its access log", 1, 1, showLog},
	{"logins", "", "show who of the demo can log in, and with what", 0, 0, showLogins},
	{"hire", "ADDRESS NAME", "let somebody into the console, and show with what", 2, 2, hire},
	{"dismiss", "ADDRESS", "let them in no more", 1, 1, dismiss},
	{"code", "ADDRESS", "print the one-time code of somebody of the demo's staff", 1, 1, printCode},
}

// parseCommand returns nil for no arguments: serve.
func parseCommand(args []string) (*command, []string, error) {
	if len(args) == 0 {
		return nil, nil, nil
	}
	for _, c := range commands {
		if c.name != args[0] {
			continue
		}
		if n := len(args) - 1; n < c.least || n > c.most {
			return nil, nil, fmt.Errorf("usage: school [flags] %s %s", c.name, c.usage)
		}
		return &c, args[1:], nil
	}
	return nil, nil, fmt.Errorf("unexpected argument %q; see --help", args[0])
}

// runCommand uses the database of the program that serves, or starts it where none does.
func runCommand(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	db, err := openDatabase(ctx, o, stdout)
	if err != nil {
		return err
	}
	defer db.close()
	ctx = audit.NewContext(ctx, audit.Caller{Actor: actor()})
	p, err := openPlatform(ctx, db, o.dataDir, o.logger(stderr))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close(ctx)) }()
	return o.command.run(ctx, p, o.args, stdout)
}

// actor is who is logged to have run a command.
func actor() string {
	u, err := user.Current()
	if err != nil {
		return "command line"
	}
	return u.Username
}

// showLog prints a school's log, from the oldest entry on.
func showLog(ctx context.Context, p *platform, args []string, stdout io.Writer) error {
	school, err := p.tenants.BySlug(ctx, args[0])
	if err != nil {
		return err
	}
	reader, err := audit.NewReader(p.owner, audit.ReaderConfig{})
	if err != nil {
		return err
	}
	for e, err := range reader.All(ctx, audit.Filter{Tenants: []int64{school.ID}}) {
		if err != nil {
			return err
		}
		who := e.Actor
		if who == "" {
			who = e.IP.String()
		}
		fmt.Fprintf(stdout, "%s  %-14s %-12s%s\n", e.Time.UTC().Format(time.DateTime), e.Action, who, details(e.Details))
	}
	report, err := reader.Verify(ctx, school.ID)
	if err != nil {
		return err
	}
	if err := report.Err(); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "None of it was changed, and nothing is missing.")
	return nil
}

// details are those of an entry that a person looks for, without their names.
func details(d map[string]any) string {
	text := ""
	for _, key := range []string{"method", "path", "status", "op", "step", "backup", "rows", "error"} {
		if value, ok := d[key]; ok {
			text += fmt.Sprint(" ", value)
		}
	}
	return text
}
