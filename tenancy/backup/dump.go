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

// DumpConfig configures pg_dump.
type DumpConfig struct {
	// Tool is the path of pg_dump, or its name, which is then looked up in PATH. Its major version
	// must not be lower than the server's. Default: "pg_dump".
	Tool string

	// Env are additional environment variables, as "NAME=value". They override the variables that are
	// derived from Config.Pool. Examples: "PGHOST=..." if the pool connects through a pooler;
	// "PGSSLROOTCERT=..." if the server's certificate is verified, because pg_dump reads root
	// certificates from a file of its own. pg_dump uses the same requirements for encryption and
	// certificates as the pool. Default: none.
	Env []string
}

// DumpFormat is the output format of pg_dump.
type DumpFormat uint8

const (
	// DumpCustom is pg_dump's compressed format for pg_restore. It is the zero value.
	DumpCustom DumpFormat = iota

	// DumpPlain is an SQL script for psql.
	DumpPlain
)

// DumpPrivileges says whether a dump contains owners and grants, which name roles of the server.
type DumpPrivileges uint8

const (
	// DumpNoPrivileges omits owners and grants, so that the dump can be restored on a server without
	// these roles. It is the zero value.
	DumpNoPrivileges DumpPrivileges = iota

	// DumpAllPrivileges includes them.
	DumpAllPrivileges
)

// DumpOptions are the options of [Service.Dump].
type DumpOptions struct {
	Format     DumpFormat
	Privileges DumpPrivileges
}

// DumpInfo describes a dump.
type DumpInfo struct {
	Name      string    // in the store; empty without a store
	Schema    string    // name of the dumped schema
	StartedAt time.Time // by this machine's clock; pg_dump's snapshot is taken later
	Tool      string    // pg_dump's version: "15.18"
	Size      int64     // bytes, of the stored file
	SHA256    string    // in hexadecimal, of the stored file
	Encrypted bool      // whether it is encrypted for Config.Recipients
	Duration  time.Duration
}

// Dump writes a pg_dump of one tenant's schema into the store, beside the tenant's backups, and
// reads it back. It is meant for handing a tenant's data over. A dump is not a backup: it is not
// listed as one, and no method of this package reads it. DUMP.md describes how to restore it.
//
// pg_dump reads the catalog of the whole database, so that its duration grows with the number of
// tenants; that of [Service.Backup] does not. The dump contains only the schema: no extensions,
// shared tables or large objects.
//
// The errors are those of [Service.Backup] for a tenant that cannot be backed up, a [ToolError], a
// [ToolVersionError], and errors of the store. After an error no file is left in the store. When
// ctx ends, pg_dump is stopped.
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

// DumpTo writes a tenant's dump to dst. After an error the content of dst must not be used: a
// truncated SQL script can still be run.
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
	defer upload.Abort() //nolint:errcheck // does nothing after Commit; otherwise another error is returned
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

// verifyDump reads the stored file back and compares it with what was written.
func (s *Service) verifyDump(ctx context.Context, info *DumpInfo) error {
	file, err := s.cfg.Store.Open(ctx, info.Name)
	if err != nil {
		return err
	}
	defer file.Close() // it was only read
	hash := sha256.New()
	n, err := io.Copy(hash, &cancellable{ctx.Err, file})
	if err == nil && (n != info.Size || hex.EncodeToString(hash.Sum(nil)) != info.SHA256) {
		err = &VerifyError{
			Name: info.Name, Err: fmt.Errorf("the stored %d bytes differ from the %d bytes that were written", n, info.Size),
		}
	}
	return err
}

// dumpRun is one running dump.
type dumpRun struct {
	run  *backupRun // only its tenant is set: pg_dump takes its own snapshot
	tool *dumpTool
	info DumpInfo
}

// beginDump checks the tenant and the tool before anything is written.
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

// dumpArgs returns the arguments of pg_dump. Its --schema is a pattern, in which a quoted name
// matches literally.
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
		return nil, fmt.Errorf("backup: DumpFormat %d does not exist", opts.Format)
	}
	switch opts.Privileges {
	case DumpNoPrivileges:
		args = append(args, "--no-owner", "--no-privileges")
	case DumpAllPrivileges:
	default:
		return nil, fmt.Errorf("backup: DumpPrivileges %d does not exist", opts.Privileges)
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

// write runs the tool and then checks that the tenant was not dropped, as a backup does.
func (d *dumpRun) write(ctx context.Context, dst io.Writer) error {
	meter := newHashWriter(dst)
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
	d.info.Size, d.info.SHA256 = meter.n, meter.sum().sha256
	d.info.Duration = time.Since(d.info.StartedAt)
	return nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// inheritedVars are the environment variables that pg_dump inherits. All others are withheld.
var inheritedVars = []string{
	"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SystemRoot", "SSL_CERT_FILE", "SSL_CERT_DIR",
}

func inheritedEnv() []string {
	env := []string{"LC_ALL=C"}
	for _, name := range inheritedVars {
		if value, is := os.LookupEnv(name); is {
			env = append(env, name+"="+value)
		}
	}
	return env
}
