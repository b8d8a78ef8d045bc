package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"filippo.io/age"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// DumpConfig says how pg_dump is run.
type DumpConfig struct {
	// Tool is the path of pg_dump, or its name to be looked up in PATH. It must not be older than the server. Default: "pg_dump".
	Tool string

	// Env are further variables of its environment, as "NAME=value", over those that follow from Config.Pool: "PGHOST=..." where
	// the pool goes through a pooler, "PGSSLROOTCERT=..." where the server's certificate is checked, which pg_dump does with a file of
	// its own. What the pool insists on, encryption and certificates, pg_dump does. Default: none.
	Env []string
}

// DumpFormat is what pg_dump writes.
type DumpFormat uint8

const (
	// DumpCustom is pg_dump's own compressed format, for pg_restore. It is the zero value.
	DumpCustom DumpFormat = iota

	// DumpPlain is a script of SQL, for psql.
	DumpPlain
)

// DumpPrivileges says whether a dump has what names roles of the server.
type DumpPrivileges uint8

const (
	// DumpNoPrivileges leaves owners and grants out, so that the dump can be loaded where nobody knows our roles. It is the zero value.
	DumpNoPrivileges DumpPrivileges = iota

	// DumpAllPrivileges has them.
	DumpAllPrivileges
)

// DumpOptions say how one tenant is dumped.
type DumpOptions struct {
	Format     DumpFormat
	Privileges DumpPrivileges
}

// DumpInfo is what is known of a dump.
type DumpInfo struct {
	Name      string    // in the store; empty where there is none
	Schema    string    // that it makes
	StartedAt time.Time // by this machine's clock; pg_dump's snapshot is taken later
	Tool      string    // pg_dump's version: "15.18"
	Size      int64     // bytes, of what was stored
	SHA256    string    // in hex, of what was stored
	Encrypted bool      // to Config.Recipients
	Duration  time.Duration
}

// Dump writes SQL for one tenant's schema into the store, made by pg_dump in one snapshot, beside the tenant's backups, and returns when it
// has been read back. It is for handing over: no backup, not listed as one, and nothing of this package reads it. DUMP.md says how it is
// restored. pg_dump reads the catalogue of the whole database, so that it takes the longer the more neighbours a tenant has;
// [Service.Backup] does not. What is outside of the schema is not in it: extensions, shared tables, large objects.
//
// The errors are those of [Service.Backup] for a tenant that cannot be backed up, a [ToolError], a [ToolVersionError], and
// those of the store. After an error nothing is left in the store. When ctx ends, so does pg_dump.
func (s *Service) Dump(ctx context.Context, slug string, opts DumpOptions) (DumpInfo, error) {
	if s.cfg.Store == nil {
		return DumpInfo{}, errNoStore
	}
	info, err := s.dump(ctx, slug, opts)
	if err != nil {
		return DumpInfo{}, fmt.Errorf("dump tenant %q: %w", slug, err)
	}
	s.cfg.Logger.InfoContext(ctx, "tenant dumped", slog.String("tenant", slug), slog.String("name", info.Name),
		slog.Int64("size", info.Size), slog.Duration("duration", info.Duration))
	return info, nil
}

// DumpTo writes a tenant's dump to dst, as [Service.Dump] does into the store. After an error what dst has must not be used: the first
// half of a script is a script too.
func (s *Service) DumpTo(ctx context.Context, slug string, dst io.Writer, opts DumpOptions) (DumpInfo, error) {
	d, err := s.beginDump(ctx, slug, opts)
	if err == nil {
		err = d.write(ctx, dst)
	}
	if err != nil {
		return DumpInfo{}, fmt.Errorf("dump tenant %q: %w", slug, err)
	}
	return d.info, nil
}

func (s *Service) dump(ctx context.Context, slug string, opts DumpOptions) (DumpInfo, error) {
	d, err := s.beginDump(ctx, slug, opts)
	if err != nil {
		return DumpInfo{}, err
	}
	d.info.Name = dumpName(d.run.tenant, d.info.StartedAt, opts.Format, len(s.cfg.Recipients) > 0)
	upload, err := s.cfg.Store.Create(ctx, d.info.Name)
	if err != nil {
		return DumpInfo{}, err
	}
	defer upload.Abort() //nolint:errcheck // nothing after a commit; before, the file has no name, and the error is another
	if err := d.write(ctx, upload); err != nil {
		return DumpInfo{}, err
	}
	err = upload.Commit()
	if err == nil {
		err = s.verifyDump(ctx, &d.info)
	}
	if err == nil {
		_, err = d.run.currentTenant(ctx)
	}
	if err != nil {
		return DumpInfo{}, errors.Join(d.run.explain(ctx, err), s.discard(ctx, d.info.Name))
	}
	return d.info, nil
}

// sameBytes reads back what was stored.
func (s *Service) verifyDump(ctx context.Context, info *DumpInfo) error {
	file, err := s.cfg.Store.Open(ctx, info.Name)
	if err != nil {
		return err
	}
	defer file.Close() // it was only read
	hash := sha256.New()
	n, err := io.Copy(hash, &cancellable{ctx.Err, file})
	if err == nil && (n != info.Size || hex.EncodeToString(hash.Sum(nil)) != info.SHA256) {
		err = &VerifyError{Name: info.Name, Err: fmt.Errorf("%d bytes are stored that are not the %d that were written", n, info.Size)}
	}
	return err
}

// dumping is one dump under way.
type dumpRun struct {
	run  *backupRun // for its tenant alone: pg_dump takes its own snapshot
	tool *dumpTool
	info DumpInfo
}

// beginDump looks at the tenant and the tool before anything is written.
func (s *Service) beginDump(ctx context.Context, slug string, opts DumpOptions) (*dumpRun, error) {
	d := &dumpRun{run: &backupRun{s: s}, info: DumpInfo{StartedAt: time.Now().UTC()}}
	var err error
	if d.run.tenant, err = s.cfg.Tenants.BySlug(ctx, slug); err != nil {
		return nil, err
	}
	if err := checkStatus(&d.run.tenant); err != nil {
		return nil, err
	}
	d.info.Schema, d.info.Encrypted = d.run.tenant.Schema, len(s.cfg.Recipients) > 0
	args, err := dumpArgs(d.info.Schema, opts, s.cfg.LockTimeout)
	if err != nil {
		return nil, err
	}
	if d.tool, err = s.dumpTool(ctx, args); err != nil {
		return nil, err
	}
	d.info.Tool = d.tool.version
	return d, nil
}

// dumpArgs are those of pg_dump. A schema is named by a pattern there, in which what is quoted stands for itself.
func dumpArgs(schema string, opts DumpOptions, lockTimeout time.Duration) ([]string, error) {
	if err := schemactx.ValidateName(schema); err != nil {
		return nil, err
	}
	pattern, err := schemactx.QuoteName(schema)
	if err != nil {
		return nil, err
	}
	args := []string{
		"--schema=" + pattern, "--strict-names", "--no-password", "--encoding=UTF8", "--quote-all-identifiers",
		fmt.Sprintf("--lock-wait-timeout=%d", lockTimeout.Milliseconds()),
	}
	switch opts.Format {
	case DumpCustom:
		args = append(args, "--format=custom")
	case DumpPlain:
		args = append(args, "--format=plain")
	default:
		return nil, fmt.Errorf("backup: %d is no DumpFormat", opts.Format)
	}
	switch opts.Privileges {
	case DumpNoPrivileges:
		args = append(args, "--no-owner", "--no-privileges")
	case DumpAllPrivileges:
	default:
		return nil, fmt.Errorf("backup: %d is no DumpPrivileges", opts.Privileges)
	}
	return args, nil
}

func dumpName(t tenancy.Tenant, at time.Time, format DumpFormat, encrypted bool) string {
	kind := ".dump"
	if format == DumpPlain {
		kind = ".sql"
	}
	return newFileName(t, at, kind, encrypted)
}

// write runs the tool, and looks at the tenant again, as for a backup.
func (d *dumpRun) write(ctx context.Context, dst io.Writer) error {
	meter := &hashWriter{dst: dst, hash: sha256.New()}
	out := io.WriteCloser(nopCloser{meter})
	if d.info.Encrypted {
		var err error
		if out, err = age.Encrypt(meter, d.run.s.cfg.Recipients...); err != nil {
			return err
		}
	}
	if err := d.tool.run(ctx, out); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	if err := d.run.checkUnchanged(ctx); err != nil {
		return err
	}
	d.info.Size, d.info.SHA256 = meter.n, hex.EncodeToString(meter.hash.Sum(nil))
	d.info.Duration = time.Since(d.info.StartedAt)
	return nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// kept are the variables that programs need of our environment; what else is in it is none of their business.
var inheritedVars = []string{"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SystemRoot", "SSL_CERT_FILE", "SSL_CERT_DIR"}

func inheritedEnv() []string {
	env := []string{"LC_ALL=C"}
	for _, name := range inheritedVars {
		if value, is := os.LookupEnv(name); is {
			env = append(env, name+"="+value)
		}
	}
	return env
}
