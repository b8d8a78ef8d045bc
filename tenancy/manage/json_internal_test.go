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
		"tenant create, list*, show, update, rename, resume, suspend, activate, maintenance, drop, drop confirm; restore revert, confirm",
		"a tenant",
		tenantJSON{},
	},
	{"domain list*, add, claim, verify, primary, move", "a domain", domainJSON{}},
	{"domain remove", "what is gone", removed{}},
	{"tenant drop request, drop approve; restore request", "a request", requestJSON{}},
	{"", "its contents: what will be lost", contentsJSON{}},
	{"migrate status*; migrate --dry-run*", "a schema that is not current, or has edited files", stateJSON{}},
	{"migrate status --schema*, --shared*", "a migration in that schema", migrationJSON{}},
	{"migrate accept*", "a schema with edited files", acceptedJSON{}},
	{"check", "what was found", checkJSON{}},
	{"", "one of its findings", findingJSON{}},
	{"", "its backups", backupsJSON{}},
	{"init", "what was done", initJSON{}},
	{"", "one of its actions", actionJSON{}},
	{"backup*, backup list*", "a backup", backup.Info{}},
	{"backup --due", "what the schedule did", dueJSON{}},
	{"backup verify", "a backup that is good", verifiedJSON{}},
	{"backup prune", "what is gone", prunedJSON{}},
	{"backup adopt", "what was taken over", adoptionJSON{}},
	{"", "a file that was", adoptedJSON{}},
	{"", "a file that was not", skippedJSON{}},
	{"restore, clone", "a tenant that was restored or made", restoredJSON{}},
	{"export", "what was exported", exportJSON{}},
	{"", "its person", backup.SubjectManifest{}},
	{"dump", "what was dumped", dumpJSON{}},
	{"erase, erase resume*", "a certificate", backup.Certificate{}},
	{"audit tail*", "a record", recordJSON{}},
	{"audit verify", "what was found", verifyJSON{}},
	{"", "one of its problems", problemJSON{}},
	{"audit heads*", "where a chain stands", headJSON{}},
	{"audit export", "what was exported", exportedJSON{}},
	{"foreach*", "a line that a command wrote", outputJSON{}},
	{"foreach*", "how a command ended", exitJSON{}},
}

const jsonIntro = `# What the commands write with --json

One JSON value in one line; those with a star write one in each line. Names stay, names may be added. A field that may be left out has a
question mark. Times are RFC 3339. Written by TestJSONIsDocumented: go test ./tenancy/manage -run JSON -update

Those of other packages are documented there: "migrate" writes migrate.Report, with --schema or --shared migrate.Result, as "down", "redo" and
"baseline" do; "drift" writes drift.Report of package migrate/drift. "audit export" writes its records into its file as "audit tail" does.

| command | what it writes | fields |
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
