package golangci

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/golangci/plugin-module-register/register"
	"golang.org/x/tools/go/analysis"

	"github.com/oryne/pgtenant/tenancy/tenantvet"
)

// golangci-lint finds a plugin that registers itself when it is linked in.
func init() { register.Plugin("tenantvet", New) }

// Settings are the settings of the plugin in .golangci.yml. The zero value is the behaviour of
// tenantvet without flags.
type Settings struct {
	Allow   []string `json:"allow"`   // packages that may choose schemas: -tenantswitch.allow
	Schemas string   `json:"schemas"` // expression for tenants' schemas: -tenantsql.schemas; default: the flag's
	Tests   bool     `json:"tests"`   // also analyze _test.go files: -NAME.tests of all analyzers
}

// New returns the plugin with its settings. golangci-lint calls it. It returns an error for unknown
// settings.
func New(settings any) (register.LinterPlugin, error) {
	s, err := register.DecodeSettings[Settings](settings)
	if err != nil {
		return nil, fmt.Errorf("tenantvet: %w", err)
	}
	return &plugin{s}, nil
}

type plugin struct{ settings Settings }

var _ register.LinterPlugin = (*plugin)(nil)

// BuildAnalyzers implements [register.LinterPlugin].
func (p *plugin) BuildAnalyzers() ([]*analysis.Analyzer, error) {
	analyzers := tenantvet.Analyzers()
	for _, a := range analyzers {
		flags := map[string]string{"tests": strconv.FormatBool(p.settings.Tests)}
		switch {
		case a.Name == "tenantswitch":
			flags["allow"] = strings.Join(p.settings.Allow, ",")
		case a.Name == "tenantsql" && p.settings.Schemas != "":
			flags["schemas"] = p.settings.Schemas
		}
		for name, value := range flags {
			if err := a.Flags.Set(name, value); err != nil {
				return nil, fmt.Errorf("tenantvet: %s of %s: %w", name, a.Name, err)
			}
		}
	}
	return analyzers, nil
}

// GetLoadMode implements [register.LinterPlugin]. The analyzers need types.
func (p *plugin) GetLoadMode() string { return register.LoadModeTypesInfo }
