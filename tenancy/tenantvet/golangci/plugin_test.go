package golangci_test

import (
	"testing"

	"github.com/golangci/plugin-module-register/register"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/tenantvet/golangci"
)

func TestThePluginIsRegisteredAndAcceptsSettings(t *testing.T) {
	t.Parallel()
	construct, err := register.GetPlugin("tenantvet")
	require.NoError(t, err)
	p, err := construct(map[string]any{"allow": []string{"a/...", "b"}, "schemas": "school_[a-z]+", "tests": true})
	require.NoError(t, err)
	analyzers, err := p.BuildAnalyzers()
	require.NoError(t, err)
	got := make(map[string]string)
	for _, a := range analyzers {
		for _, name := range []string{"allow", "schemas", "tests"} {
			if f := a.Flags.Lookup(name); f != nil {
				got[a.Name+"."+name] = f.Value.String()
			}
		}
	}
	for flag, want := range map[string]string{
		"tenantswitch.allow": "a/...,b", "tenantpool.allow": "", "tenantsql.schemas": "school_[a-z]+",
		"tenantctx.tests": "true",
	} {
		assert.Equal(t, want, got[flag], flag)
	}
	assert.Equal(t, register.LoadModeTypesInfo, p.GetLoadMode(), "load mode")
}

func TestInvalidSettingsAreRefused(t *testing.T) {
	t.Parallel()
	_, err := golangci.New(map[string]any{"alow": []string{"a"}})
	assert.Error(t, err, "an unknown setting was accepted")
	p, err := golangci.New(map[string]any{"schemas": "("})
	require.NoError(t, err)
	_, err = p.BuildAnalyzers()
	assert.Error(t, err, "an invalid regular expression was accepted")
}

func TestNoSettings(t *testing.T) {
	t.Parallel()
	p, err := golangci.New(nil)
	require.NoError(t, err)
	analyzers, err := p.BuildAnalyzers()
	assert.NoError(t, err)
	assert.Len(t, analyzers, 5)
}
