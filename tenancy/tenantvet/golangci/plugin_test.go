package golangci_test

import (
	"testing"

	"github.com/golangci/plugin-module-register/register"

	"github.com/oryne/pgtenant/tenancy/tenantvet/golangci"
)

func TestThePluginIsRegisteredAndTakesSettings(t *testing.T) {
	t.Parallel()
	construct, err := register.GetPlugin("tenantvet")
	if err != nil {
		t.Fatal(err)
	}
	p, err := construct(map[string]any{"allow": []string{"a/...", "b"}, "schemas": "school_[a-z]+", "tests": true})
	if err != nil {
		t.Fatal(err)
	}
	analyzers, err := p.BuildAnalyzers()
	if err != nil {
		t.Fatal(err)
	}
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
		if got[flag] != want {
			t.Errorf("%s is %q, want %q", flag, got[flag], want)
		}
	}
	if p.GetLoadMode() != register.LoadModeTypesInfo {
		t.Errorf("load mode %q", p.GetLoadMode())
	}
}

func TestSettingsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := golangci.New(map[string]any{"alow": []string{"a"}}); err == nil {
		t.Error("a setting that does not exist was taken")
	}
	p, err := golangci.New(map[string]any{"schemas": "("})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.BuildAnalyzers(); err == nil {
		t.Error("an expression that is none was taken")
	}
}

func TestNoSettings(t *testing.T) {
	t.Parallel()
	p, err := golangci.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if analyzers, err := p.BuildAnalyzers(); err != nil || len(analyzers) != 5 {
		t.Errorf("%d analyzers, %v", len(analyzers), err)
	}
}
