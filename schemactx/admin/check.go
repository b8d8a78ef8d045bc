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

// CheckConfig says what [Check] expects. The zero value is valid and means isolation by roles.
type CheckConfig struct {
	// Level is the isolation level of the [schemactx.DB] that the program is about to use.
	// Default: [schemactx.Roles].
	Level schemactx.Level

	// Roles are the names of the database's roles, as given to [Setup]. Default:
	// [schemactx.DefaultRoleNames] of the database that the pool connects to.
	Roles schemactx.RoleNames

	// ExtraSearchPath is the field of that name in the [schemactx.Config] of the [schemactx.DB]. Check
	// refuses a schema of the path that does not exist, that a role of a scope may not use, or in
	// which tenants, PUBLIC or the login may create. It warns of a column whose type has its operators
	// in a schema that is neither on the path nor the column's own. Default: none.
	ExtraSearchPath []string

	// SharedSchemas are further schemas whose functions and operators tenants are meant to use. public
	// and the schemas of ExtraSearchPath are included without being named. Only the owner should
	// create objects in them. Default: none.
	SharedSchemas []string

	// Limit is the number of findings of one code that the report lists. [CheckReport].Omitted counts
	// the others. Default: 20.
	Limit int
}

// Check looks for privileges and objects that let one tenant reach another tenant's data or that of
// the database: privileges of the login that serves requests, privileges of the tenants' roles, and
// objects that tenants can use. A program calls it when it starts, logs the findings and stops if
// the report's Err is not nil:
//
//	report, err := admin.Check(ctx, pool, admin.CheckConfig{})
//	if err == nil {
//		err = report.Err()
//	}
//
// pool is the pool that [schemactx.New] gets. Check examines the login that this pool uses. It
// changes nothing: it reads the catalogs in one read-only transaction of a few round trips,
// whatever the number of schemas. ctx governs the transaction. Findings about the source text of a
// function are guesses; findings about catalogs are not. Check does not read the server's
// configuration files and does not examine what superusers do.
//
// At [schemactx.PathOnly] the login needs privileges on tables, so Check reports only what goes
// beyond them. What is refused at Roles may be a warning there.
//
// A finding is not an error. Check returns an error if the connection or the server fails, if ctx
// ends, or, as a [schemactx.SearchPathError], if ExtraSearchPath is invalid.
func Check(ctx context.Context, pool *pgxpool.Pool, cfg CheckConfig) (CheckReport, error) {
	if pool == nil {
		return CheckReport{}, errors.New("admin: pool is nil")
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
			report.Findings = []Finding{old} // the queries need the catalogs of MinVersion or newer
			return nil
		}
		// With this search_path the queries do not call functions or operators that another role has
		// created under the names of built-in ones. JIT is off because compiling these queries would take
		// longer than running them.
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

// versionFinding returns the finding about a server of major version v, and whether that is older
// than [MinVersion].
func versionFinding(v int) (Finding, bool) {
	return Finding{
		Code: CodeServerVersion, Severity: Refuse, Object: "server",
		Message: fmt.Sprintf("PostgreSQL is of version %d, older than %d: upgrade it", v, MinVersion),
	}, v < MinVersion
}

// rules returns all rules, in the order of the report.
func rules() []rule {
	return slices.Concat(kindRules, loginRules, tenantRules, pathRules, registryRules, linkRules, objectRules)
}

// runRules runs the queries of all rules in one round trip. The statements are unnamed, because
// they do not run again on this connection and because poolers accept unnamed statements.
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

// ruleParams returns the parameters of rulesSQL in the text format.
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

// add adds the rows of a rule to the report. A row is the object, the detail and the number of all
// rows.
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
