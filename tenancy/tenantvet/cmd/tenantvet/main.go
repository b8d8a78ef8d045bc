package main

import (
	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/oryne/pgtenant/tenancy/tenantvet"
)

func main() { multichecker.Main(tenantvet.Analyzers()...) }
