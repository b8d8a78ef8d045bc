package guidetest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/manage"
	"github.com/oryne/pgtenant/tenancy/metrics"
)

// yourProgram is the guide's program in the test binary, in the environment of verification.env.
func yourProgram() int {
	ctx := context.Background()
	root := manage.Command(manage.Config{
		Name: "yourprogram",
		Open: func(ctx context.Context) (*manage.App, error) {
			owner, err := pgxpool.New(ctx, os.Getenv("OWNER_URL"))
			if err != nil {
				return nil, err
			}
			app, store, err := openVerified(owner, os.Getenv("STORE"), os.Getenv("IDENTITY"), os.Getenv("PRIVATE") != "")
			if err != nil {
				owner.Close()
				return nil, err
			}
			app.Close = func(context.Context) error {
				owner.Close()
				return store.Close()
			}
			return app, nil
		},
		Admin: func(ctx context.Context) (*manage.Admin, error) {
			conn, err := pgx.Connect(ctx, os.Getenv("ADMIN_URL"))
			if err != nil {
				return nil, err
			}
			return &manage.Admin{
				DB: conn, Close: conn.Close, Setup: admin.SetupConfig{OwnerPassword: "o", RuntimePassword: "r"},
			}, nil
		},
		Actor: func() (string, error) { return os.Getenv("ACTOR"), nil },
	})
	return manage.Run(ctx, root)
}

// openVerified opens the guide's App. private says whether it has the private key.
func openVerified(owner *pgxpool.Pool, dir, key string, private bool) (*manage.App, *backup.Dir, error) {
	identity, err := age.ParseX25519Identity(key)
	if err != nil {
		return nil, nil, err
	}
	seed := sha256.Sum256([]byte("the signing key"))
	k := keys{recipients: []age.Recipient{identity.Recipient()}, signing: ed25519.NewKeyFromSeed(seed[:])}
	if private {
		k.identities = []age.Identity{identity}
	}
	store, err := backup.OpenDir(dir)
	if err != nil {
		return nil, nil, err
	}
	app, err := openApp(owner, store, k, fstest.MapFS{
		"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes (body text);\n")},
	})
	return app, store, err
}

// verification is a database in which the guide's program runs.
type verification struct {
	guide guide
	pg    *pgtest.DB
	bin   string // directory of yourprogram
	env   map[string]string
	app   *manage.App
}

// setupVerification makes one. Databases share a store and the keys.
func setupVerification(t *testing.T, store, key string) *verification {
	t.Helper()
	v := &verification{guide: read(t, "tenancy/backup/VERIFY.md"), bin: t.TempDir()}
	pg, roles := database(t)
	v.pg = pg
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, filepath.Join(v.bin, "yourprogram")))
	v.env = map[string]string{
		"ADMIN_URL": pg.URL, "OWNER_URL": pg.URLAs(roles.Owner(), "o"),
		"STORE": store, "IDENTITY": key, "PRIVATE": "1", "ACTOR": "ada",
	}
	owner, err := pgxpool.New(context.Background(), v.env["OWNER_URL"])
	require.NoError(t, err)
	t.Cleanup(owner.Close)
	var dir *backup.Dir
	v.app, dir, err = openVerified(owner, store, key, true)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, dir.Close()) })
	return v
}

// sh runs commands in a shell in which yourprogram is the test binary.
func (v *verification) sh(t *testing.T, commands string) (output string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", commands)
	cmd.Env = append(os.Environ(), "GUIDETEST_PROGRAM=1", "PATH="+v.bin+":"+os.Getenv("PATH"))
	for name, value := range v.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		require.NoError(t, err, "%s", out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// run runs the commands of a block of the guide, which have to succeed.
func (v *verification) run(t *testing.T, text string, replace ...string) (output string) {
	t.Helper()
	commands := strings.NewReplacer(replace...).Replace(v.guide.block(t, "sh", text))
	output, code := v.sh(t, commands)
	require.Zero(t, code, "%s\n%s", commands, output)
	return output
}

func (v *verification) create(t *testing.T, slug string) tenancy.Tenant {
	t.Helper()
	tenant, err := v.app.Tenants.Create(t.Context(), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
	require.NoError(t, err)
	_, err = v.pg.Pool.Exec(t.Context(), "insert into "+tenant.Schema+".notes values ($1)", slug)
	require.NoError(t, err)
	return tenant
}

func (v *verification) expectNote(t *testing.T, slug string) {
	t.Helper()
	tenant, err := v.app.Tenants.BySlug(t.Context(), slug)
	require.NoError(t, err)
	var body string
	require.NoError(t, v.pg.Pool.QueryRow(t.Context(), "select body from "+tenant.Schema+".notes").Scan(&body))
	assert.Equal(t, slug, body)
	domain, err := v.app.Tenants.ByHost(t.Context(), slug+".example.com")
	require.NoError(t, err)
	assert.Equal(t, slug, domain.Slug)
}

// newStore returns a directory and an age identity.
func newStore(t *testing.T) (store, key string) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return t.TempDir(), identity.String()
}

func TestTheCodeOfTheGuideToBackupDrills(t *testing.T) {
	t.Parallel()
	read(t, "tenancy/backup/VERIFY.md").expectCode(t, "verify_program_test.go")
}

// The line for cron backs up at the first call and restores at the second. The metrics follow.
func TestTheScheduleOfTheGuideToBackupDrills(t *testing.T) {
	t.Parallel()
	store, key := newStore(t)
	v := setupVerification(t, store, key)
	v.sh(t, "yourprogram init")
	v.create(t, "north")
	v.create(t, "south")
	m, err := metrics.New(metrics.Config{})
	require.NoError(t, err)
	registry := prometheus.NewRegistry()
	require.NoError(t, export(v.app, m, registry))
	expect := func(backedUp, never, unverified string) {
		t.Helper()
		require.NoError(t, m.Refresh(t.Context()))
		assert.Equal(t, backedUp, gauge(t, registry, "pgtenant_backup_tenants", "backed_up"))
		assert.Equal(t, never, gauge(t, registry, "pgtenant_backup_tenants", "never"))
		assert.Equal(t, unverified, gauge(t, registry, "app_backups_unverified", ""))
	}
	expect("0", "2", "0")
	line := strings.SplitN(v.guide.block(t, "cron", "backup --due"), " ", 6)[5]
	for _, unverified := range []string{"2", "0"} {
		output, code := v.sh(t, line)
		require.Zero(t, code, "%s", output)
		assert.Contains(t, output, "2 runs due, 2 done, 0 failed.")
		expect("2", "0", unverified)
	}
	output, _ := v.sh(t, line)
	assert.Contains(t, output, "0 runs due")

	// A backup that cannot be restored.
	_, err = v.pg.Pool.Exec(t.Context(), `update backup_runs set slot = slot - interval '8 days',
		verified_at = verified_at - interval '10 days' where kind = 'verify'`)
	require.NoError(t, err)
	expect("2", "0", "2")
	require.NoError(t, os.RemoveAll(store))
	require.NoError(t, os.Mkdir(store, 0o700))
	output, code := v.sh(t, line)
	assert.Equal(t, manage.CodeFailed, code, "%s", output)
	assert.Contains(t, output, `"north"`)
	assert.Equal(t, "2", gauge(t, registry, "app_backups_unverified", ""))
	rules, err := os.ReadFile("../../tenancy/metrics/dashboards/rules.yml")
	require.NoError(t, err)
	alerts := regexp.MustCompile("`(Pgtenant\\w+)`").FindAllStringSubmatch(string(v.guide), -1)
	assert.Len(t, alerts, 3)
	for _, alert := range alerts {
		assert.Contains(t, string(rules), "alert: "+alert[1]+"\n")
	}
	assert.Contains(t, v.guide.block(t, "yaml", "AppBackupsUnverified"), "max(app_backups_unverified) != 0")
}

// gauge returns the value of a metric that has a label value, or no label.
func gauge(t *testing.T, from prometheus.Gatherer, name, label string) string {
	t.Helper()
	families, err := from.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name && (label == "" || metric.GetLabel()[0].GetValue() == label) {
				return fmt.Sprint(metric.GetGauge().GetValue())
			}
		}
	}
	return "none"
}

var requested = regexp.MustCompile(`(?m)^request +(\d+)\n^token +(\S+)$`)

func TestTheCommandsOfTheGuideToBackupDrills(t *testing.T) {
	t.Parallel()
	store, key := newStore(t)
	v := setupVerification(t, store, key)
	v.sh(t, "yourprogram init")
	v.create(t, "north")
	v.create(t, "south")
	drop := func(slug, request string) (output string, code int) {
		t.Helper()
		found := requested.FindStringSubmatch(request)
		require.NotNil(t, found, "%s", request)
		names := []string{"REQUEST", found[1], "TOKEN", found[2], "north", slug}
		v.env["ACTOR"] = "bob"
		v.run(t, "drop approve", names...)
		v.env["ACTOR"] = "ada"
		return v.sh(t, strings.NewReplacer(names...).Replace(v.guide.block(t, "sh", "drop confirm")))
	}
	request, code := v.sh(t, "yourprogram tenant drop request south")
	require.Zero(t, code)
	output, code := drop("south", request)
	assert.Equal(t, manage.CodeFailed, code)
	assert.Contains(t, output, "backup")

	assert.Contains(t, v.run(t, "verify north --file-only"), "can be restored")
	delete(v.env, "PRIVATE")
	output, code = v.sh(t, "yourprogram backup verify north")
	assert.Equal(t, manage.CodeFailed, code, "without the private key: %s", output)
	assert.Contains(t, v.run(t, "drop request"), "read back")
	v.env["PRIVATE"] = "1"
	output, code = drop("north", v.run(t, "drop request"))
	require.Zero(t, code, "%s", output)
	_, err := v.app.Tenants.BySlug(t.Context(), "north")
	require.ErrorIs(t, err, tenancy.ErrNotFound)
	v.run(t, "yourprogram restore north\n")
	v.expectNote(t, "north")
	_, code = v.sh(t, "yourprogram backup south")
	require.Zero(t, code)

	there := setupVerification(t, store, key)
	list, code := v.sh(t, "yourprogram backup list --all-registries")
	require.Zero(t, code, "%s", list)
	name := regexp.MustCompile(`(?m)^north .* (\S+)$`).FindStringSubmatch(list)
	require.NotNil(t, name, "%s", list)
	there.run(t, "--any-registry", "NAME", name[1])
	there.expectNote(t, "north")

	all := setupVerification(t, store, key)
	all.sh(t, "yourprogram init")
	require.NoError(t, restoreAll(t.Context(), all.app.Backups))
	all.expectNote(t, "north")
	all.expectNote(t, "south")
	assert.Contains(t, all.run(t, "yourprogram drift"), "south")
}
