package tenantvet_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/oryne/pgtenant/tenancy/tenantvet"
)

// The test data is a separate module that uses the real packages, so that the analyzers see their
// real types.
const testdata = "testdata"

// TestMain downloads the modules of the test data, because the analysis runs without a network.
func TestMain(m *testing.M) {
	cmd := exec.Command("go", "mod", "download")
	cmd.Dir, cmd.Stderr = testdata, os.Stderr
	if err := cmd.Run(); err != nil {
		os.Stderr.WriteString("download what the test data needs: " + err.Error() + "\n")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// analyzer returns a new analyzer. flags are pairs of a flag and its value.
func analyzer(t *testing.T, name string, flags ...string) *analysis.Analyzer {
	t.Helper()
	for _, a := range tenantvet.Analyzers() {
		if a.Name == name {
			for i := 0; i < len(flags); i += 2 {
				require.NoError(t, a.Flags.Set(flags[i], flags[i+1]))
			}
			return a
		}
	}
	require.Fail(t, "no analyzer "+name)
	return nil
}

func dir(t *testing.T) string {
	t.Helper()
	wd, err := os.Getwd()
	require.NoError(t, err)
	return wd + "/" + testdata
}

func TestAnalyzers(t *testing.T) {
	t.Parallel()
	for name, pkg := range map[string]string{
		"tenantswitch": "switches", "tenantpool": "pools", "tenantsql": "sql", "tenantctx": "ctx", "tenantallow": "allow",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			analysistest.Run(t, dir(t), analyzer(t, name), "./"+pkg)
		})
	}
}

func TestAllowedPackagesAreNotReported(t *testing.T) {
	t.Parallel()
	analysistest.Run(t, dir(t), analyzer(t, "tenantswitch", "allow", "example.com/app/allowed"), "./allowed")
}

func TestAnalyzersAreValidAndDoNotShareFlags(t *testing.T) {
	t.Parallel()
	require.NoError(t, analysis.Validate(tenantvet.Analyzers()))
	analyzer(t, "tenantswitch", "allow", "a")
	assert.Empty(t, analyzer(t, "tenantswitch").Flags.Lookup("allow").Value.String(),
		"flags of two analyzers are shared")
	assert.Error(t, analyzer(t, "tenantsql").Flags.Set("schemas", "("), "an invalid regular expression was accepted")
}
