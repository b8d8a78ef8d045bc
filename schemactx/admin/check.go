package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
)

// CheckConfig says what [Check] expects. The zero value is the default: isolation by roles.
type CheckConfig struct {
	// Level is the isolation level of the [schemactx.DB] that the program is about to use.
	// Default: [schemactx.Roles].
	Level schemactx.Level

	// Roles are the names of the database's roles, as given to [Setup]. Default:
	// [schemactx.DefaultRoleNames] of the database that the pool connects to.
	Roles schemactx.RoleNames

	// ExtraSearchPath is that of the [schemactx.DB]'s [schemactx.Config]. Check refuses a schema of it
	// that does not exist or that a role of a scope may not use, and one in which tenants, PUBLIC or
	// the login may create; it warns of columns whose types have their operators in a schema that is
	// neither here nor the column's own. Default: none.
	ExtraSearchPath []string

	// SharedSchemas are the schemas, besides public and those of ExtraSearchPath, whose functions and
	// operators tenants are meant to use. Nobody but the owner should make anything there. Default:
	// none.
	SharedSchemas []string

	// Limit is how many findings of one code the report lists; the others are counted in
	// [CheckReport].Omitted. Default: 20.
	Limit int
}

// Check looks for what would let one tenant get at another's data, or at the database's: rights
// of the login that serves, rights of the tenants' roles, objects that tenants can use. A program
// calls it when it starts, logs the findings and stops on the report's Err:
//
//	report, err := admin.Check(ctx, pool, admin.CheckConfig{})
//	if err == nil {
//		err = report.Err()
//	}
//
// pool is the one that [schemactx.New] gets. Check judges the login that it finds there, not the
// one that should be. It reads the catalogs only, in one read-only transaction of a few round
// trips, however many schemas there are, and changes nothing. What it finds in the sources of
// functions is a guess by their text; what it finds in catalogs is not. It knows nothing of the
// server's configuration files or of what superusers do.
//
// At [schemactx.PathOnly] the login has rights on tables by nature, so that only what goes beyond
// them is found, and what is refused at Roles may be a warning.
//
// A finding is no error: the error is the connection's, the server's or that of ctx, or a
// [schemactx.SearchPathError].
func Check(ctx context.Context, pool *pgxpool.Pool, cfg CheckConfig) (CheckReport, error) {
	if pool == nil {
		return CheckReport{}, errors.New("schemactx: pool is nil")
	}
	if cfg.Roles == (schemactx.RoleNames{}) {
		cfg.Roles = schemactx.DefaultRoleNames(pool.Config().ConnConfig.Database)
	}
	if _, err := schemactx.SearchPath(schemactx.Public, cfg.ExtraSearchPath); err != nil {
		return CheckReport{}, fmt.Errorf("check database: %w", err)
	}
	cfg.Limit = cmp.Or(cfg.Limit, 20)
	var report CheckReport
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if old, ok := versionFinding(version(tx)); ok {
			report.Findings = []Finding{old} // the catalogs of such a server are not ours to read
			return nil
		}
		// Functions and operators that somebody has planted must not answer. To compile these
		// queries would take longer than to run them.
		err := execAll(ctx, tx, "set local search_path to pg_catalog, pg_temp", "set local jit to off")
		if err != nil {
			return err
		}
		report, err = runRules(ctx, tx, cfg)
		return err
	})
	if err != nil {
		return CheckReport{}, fmt.Errorf("check database: %w", err)
	}
	return report, nil
}

// versionFinding is the finding about a server that is too old.
func versionFinding(v int) (Finding, bool) {
	return Finding{
		Code: CodeServerVersion, Severity: Refuse, Object: "server",
		Message: fmt.Sprintf("PostgreSQL is of version %d, older than %d: upgrade it", v, MinVersion),
	}, v < MinVersion
}

// rules are all of them, in the order of the report.
func rules() []rule {
	return slices.Concat(kindRules, loginRules, tenantRules, pathRules, registryRules, linkRules, objectRules)
}

// runRules asks all questions in one round trip, with unnamed statements: none will ever run
// again on this connection, and poolers take them.
func runRules(ctx context.Context, tx pgx.Tx, cfg CheckConfig) (CheckReport, error) {
	params, err := ruleParams(cfg)
	if err != nil {
		return CheckReport{}, err
	}
	var asked []rule
	batch := &pgconn.Batch{}
	for _, r := range rules() {
		if r.severity(cfg.Level) != 0 {
			asked = append(asked, r)
			batch.ExecParams(r.statement(cfg.Limit), params, nil, nil, nil)
		}
	}
	results, err := tx.Conn().PgConn().ExecBatch(ctx, batch).ReadAll()
	if err != nil {
		return CheckReport{}, err
	}
	var report CheckReport
	for i, r := range asked {
		rows := results[i].Rows
		if len(report.Findings) > 0 && report.Findings[0].Code == CodeLoginKind {
			rows = slices.DeleteFunc(rows, func(row [][]byte) bool { return r.aboutLogin(row, report.Findings[0].Object) })
		}
		report.add(r, r.severity(cfg.Level), rows)
	}
	return report, nil
}

// ruleParams are the parameters of rulesSQL, as text.
func ruleParams(cfg CheckConfig) ([][]byte, error) {
	var closed []string
	for _, f := range hardenedFunctions {
		closed = append(closed, f.name)
	}
	config, err := json.Marshal(map[string]any{
		"prefix":  cfg.Roles.Prefix(),
		"owner":   cfg.Roles.Owner(),
		"runtime": cfg.Roles.Runtime(),
		"public":  cfg.Roles.Public(),
		"shared": slices.Concat(
			[]string{schemactx.Public},
			cfg.SharedSchemas,
			cfg.ExtraSearchPath,
		),
		"extra":      append([]string{}, cfg.ExtraSearchPath...),
		"path_only":  cfg.Level == schemactx.PathOnly,
		"closed":     closed,
		"set_config": setConfig,
	})
	return [][]byte{config}, err
}

// add takes the rows of a rule: object, detail, and how many there are in all.
func (r *CheckReport) add(rule rule, severity Severity, rows [][][]byte) {
	var found []Finding
	for _, row := range rows {
		object, detail := string(row[0]), string(row[1])
		message := strings.NewReplacer("{object}", object, "{detail}", detail).Replace(rule.message)
		found = append(found, Finding{Code: rule.code, Severity: severity, Object: object, Message: message})
	}
	slices.SortFunc(found, func(a, b Finding) int { return strings.Compare(a.Message, b.Message) })
	r.Findings = append(r.Findings, found...)
	if len(rows) == 0 {
		return
	}
	var all int
	if _, err := fmt.Sscan(string(rows[0][2]), &all); err == nil && all > len(rows) {
		if r.Omitted == nil {
			r.Omitted = map[Code]int{}
		}
		r.Omitted[rule.code] = all - len(rows)
	}
}
