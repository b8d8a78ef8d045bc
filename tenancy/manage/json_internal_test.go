package manage

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup"
)

var update = flag.Bool("update", false, "write JSON.md")

// shapes are the values that the commands write with --json, in the order of JSON.md.
var shapes = []struct {
	commands string
	what     string
	value    any
}{
	{
		"tenant create, list*, show, update, rename, resume, suspend, activate, maintenance, " +
			"drop, drop confirm; restore revert, confirm",
		"a tenant",
		tenantJSON{},
	},
	{"domain list*, add, claim, verify, primary, move", "a domain", domainJSON{}},
	{"domain remove", "the removed domain", removed{}},
	{"tenant drop request, drop approve; restore request", "a request", requestJSON{}},
	{"", "its contents, which will be lost", contentsJSON{}},
	{"migrate status*; migrate --dry-run*", "a schema that is not current, or has edited files", stateJSON{}},
	{"migrate status --schema*, --shared*", "a migration in that schema", migrationJSON{}},
	{"migrate accept*", "a schema with edited files", acceptedJSON{}},
	{"check", "the result of the check", checkJSON{}},
	{"", "one of its findings", findingJSON{}},
	{"", "its backups", backupsJSON{}},
	{"init", "the actions of the set-up", initJSON{}},
	{"", "one of its actions", actionJSON{}},
	{"backup*, backup list*", "a backup", backup.Info{}},
	{"backup --due", "the counts of the scheduled runs", dueJSON{}},
	{"backup verify", "a verified backup", verifiedJSON{}},
	{"backup prune", "the deleted files", prunedJSON{}},
	{"backup adopt", "the files by result", adoptionJSON{}},
	{"", "an adopted file", adoptedJSON{}},
	{"", "a skipped file", skippedJSON{}},
	{"restore, clone", "the restored or new tenant", restoredJSON{}},
	{"export", "the export", exportJSON{}},
	{"", "its person", backup.SubjectManifest{}},
	{"dump", "the dump", dumpJSON{}},
	{"erase, erase resume*", "a certificate", backup.Certificate{}},
	{"audit tail*", "a record", recordJSON{}},
	{"audit verify", "the result of the verification", verifyJSON{}},
	{"", "one of its problems", problemJSON{}},
	{"audit heads*", "the head of a chain", headJSON{}},
	{"audit export", "the export", exportedJSON{}},
	{"foreach*", "a line of a command's output", outputJSON{}},
	{"foreach*", "the end of a command", exitJSON{}},
}

const jsonIntro = `# Output of the commands with --json

A command writes one JSON object on one line. A command with a star writes one object per line.
Field names are stable; fields may be added. A field with a question mark may be omitted.
Times are in RFC 3339. TestJSONIsDocumented writes this file:

	go test ./tenancy/manage -run JSON -update

Objects of other packages are documented there. "migrate" writes migrate.Report. With --schema or
--shared it writes migrate.Result, as "migrate down", "redo" and "baseline" do. "drift" writes
drift.Report of package migrate/drift. "audit export" writes records to its file as "audit tail" does.

| command | object | fields |
|---|---|---|
`

// JSON.md lists the field names of the structs, so that no name changes by accident.
func TestJSONIsDocumented(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(jsonIntro)
	for _, s := range shapes {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s.commands, s.what, strings.Join(fieldsOf(reflect.TypeOf(s.value)), ", "))
	}
	if *update {
		require.NoError(t, os.WriteFile("JSON.md", []byte(b.String()), 0o600))
	}
	have, err := os.ReadFile("JSON.md")
	require.NoError(t, err)
	assert.Equal(t, b.String(), string(have),
		"JSON.md is not what the commands write: run go test ./tenancy/manage -run JSON -update, and read the difference")
}

func fieldsOf(t reflect.Type) (names []string) {
	for f := range t.Fields() {
		if f.Anonymous {
			names = append(names, fieldsOf(f.Type)...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if options != "" {
			name += "?"
		}
		names = append(names, name)
	}
	return names
}

func TestWarningsOfARestoreAreLogged(t *testing.T) {
	t.Parallel()
	details := map[string]any{"rows": 7}
	assert.Equal(t, details, withWarnings(map[string]any{"rows": 7}, nil))
	warnings := []backup.Warning{{Object: "materialized view totals", Reason: "is not populated"}}
	assert.Equal(t, warnings, withWarnings(details, warnings)["warnings"])
}
