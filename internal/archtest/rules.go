package archtest

// module is the import path of the tree's root.
const module = "github.com/oryne/pgtenant"

// layer is one row of the table: a list of packages and the imports that they may have. A package
// is named by its directory. A name that ends in "/..." covers all directories below.
type layer struct {
	packages []string
	imports  []string // packages of this module, all of lower rows
	outside  []string // import paths and their prefixes, besides the standard library; nil: all of go.mod
	why      string   // the reason; follows "may not import X:"
}

// layers are the packages of the modules of go.work, from the top layer down. A package imports
// only packages of lower rows.
var layers = []layer{
	{
		packages: []string{"examples/school"},
		imports: []string{
			"examples/school/internal/...", "erp", "tenancy/manage", "resolver",
			"tenancy/audit", "tenancy/backup", "tenancy/backup/archive", "tenancy/ratelimit", "tenancy/metrics",
			"tenancy/quarantine",
			"tenancy/platformuser", "tenancy/tenanthttp", "tenancy/tenanttoken", "tenancy", "migrate/drift", "migrate",
			"schemactx/admin", "schemactx", "internal/localpg", "internal/hint",
		},
		why: "the program of the example combines the packages below it",
	},
	{
		packages: []string{
			"examples/school/internal/console", "examples/school/internal/publicsite", "examples/school/internal/schoolsite",
			"examples/school/internal/demo",
		},
		imports: []string{
			"examples/school/internal/schools", "examples/school/internal/staff", "examples/school/internal/web", "erp",
			"tenancy/audit", "tenancy/backup", "tenancy/quarantine", "tenancy/ratelimit",
			"tenancy/platformuser", "tenancy/tenanthttp", "tenancy/tenanttoken", "tenancy", "migrate/drift", "migrate",
			"schemactx/admin", "schemactx",
		},
		why: "a site of the example does not depend on another site",
	},
	{
		packages: []string{
			"examples/school/internal/schools", "examples/school/internal/staff", "examples/school/internal/web",
		},
		imports: []string{
			"erp", "tenancy/audit", "tenancy/ratelimit", "tenancy/platformuser", "tenancy/tenanthttp",
			"tenancy/tenanttoken", "tenancy", "schemactx/admin", "schemactx",
		},
		why: "it is a part that the sites of the example share",
	},
	{
		packages: []string{"examples/..."},
		imports: []string{
			"erp", "tenancy/manage", "resolver",
			"tenancy/audit", "tenancy/backup", "tenancy/backup/archive", "tenancy/ratelimit", "tenancy/metrics",
			"tenancy/quarantine",
			"tenancy/platformuser", "tenancy/tenanthttp", "tenancy/tenanttoken", "tenancy", "migrate/drift", "migrate",
			"schemactx/admin", "schemactx", "internal/localpg",
		},
		why: "an example is like a user's program, except that it may start a PostgreSQL",
	},
	{
		packages: []string{"erp"},
		imports: []string{
			"tenancy/platformuser", "tenancy/tenanthttp", "tenancy/tenanttoken", "tenancy", "migrate", "schemactx/admin",
			"schemactx",
		},
		why: "the reference module imports only what a user's module needs",
	},
	{
		packages: []string{"tenancy/manage"},
		imports: []string{
			"tenancy/audit", "tenancy/backup", "tenancy", "migrate/drift", "migrate", "schemactx/admin", "schemactx",
			"internal/hint", "internal/postgres",
		},
		why: "the commands must work without the reference module",
	},
	{
		packages: []string{"resolver"},
		imports: []string{
			"tenancy/tenanthttp", "tenancy/tenanttoken", "tenancy", "schemactx/admin", "schemactx", "internal/wait",
		},
		why: "a resolver reads the registry, and migrates nothing during a request",
	},
	{
		packages: []string{"tenancy/backup/storetest"},
		imports:  []string{"tenancy/backup"},
		why:      "implementations of the store need only the interface",
	},
	{
		packages: []string{
			"tenancy/audit", "tenancy/backup", "tenancy/ratelimit", "tenancy/metrics", "tenancy/quarantine",
			"tenancy/tenancytest",
		},
		imports: []string{
			"tenancy/backup/archive", "tenancy/tenanthttp", "tenancy/tenanttoken", "tenancy", "internal/registrydb",
			"internal/postgres", "internal/requestid", "migrate/drift", "migrate", "schemactx/admin", "schemactx",
		},
		why: "a program chooses each of these packages alone, so none may import another",
	},
	{
		packages: []string{"tenancy/backup/archive"},
		outside:  []string{"github.com/klauspost/compress", "filippo.io/age"},
		why:      "an archive must be readable without a database, so it knows neither tenants nor SQL",
	},
	{
		packages: []string{"internal/schooltest"},
		imports:  []string{"tenancy/tenanthttp", "tenancy", "migrate", "schemactx/admin", "schemactx", "internal/pgtest"},
		why:      "the examples of package tenancy and its neighbours use it",
	},
	{
		packages: []string{"tenancy/tenanthttp"},
		imports: []string{
			"tenancy/tenanttoken", "tenancy", "internal/sitecontext", "internal/text", "schemactx/admin", "schemactx",
			"internal/requestid",
		},
		why: "serving a request needs the registry, and no manager, job or migration",
	},
	{
		packages: []string{"tenancy/tenanttoken"},
		imports:  []string{"tenancy", "schemactx/admin", "schemactx"},
		why:      "a token must work without an HTTP server, for example in a worker",
	},
	{
		packages: []string{"tenancy/platformuser"},
		imports:  []string{"tenancy", "internal/hostname", "internal/registrydb", "internal/text", "schemactx"},
		why:      "it reads and writes one table of the registry, and does not serve requests",
	},
	{
		packages: []string{"tenancy"},
		imports: []string{
			"internal/hostname", "internal/registrydb", "internal/schemalock", "internal/sitecontext", "internal/text",
			"schemactx/admin", "schemactx",
		},
		why: "it uses migrations through an interface, so that a program may bring its own",
	},
	{
		packages: []string{"internal/hostname"},
		outside:  []string{"golang.org/x/net/idna"},
		why:      "it handles names of hosts, not tenants",
	},
	{
		packages: []string{"internal/sitecontext", "internal/text"},
		outside:  []string{},
		why:      "packages of every layer share them, so they use only the standard library",
	},
	{
		packages: []string{"internal/migratetest"},
		imports: []string{
			"migrate/drift", "migrate", "schemactx/admin", "schemactx", "internal/pgtest",
		},
		why: "the tests of migrate and migrate/drift share it",
	},
	{
		packages: []string{"migrate/drift"},
		imports:  []string{"migrate", "internal/schemalock", "internal/sqlstate", "schemactx/admin", "schemactx"},
		why:      "a comparison uses the runner, and a migration does not need the comparison",
	},
	{
		packages: []string{"migrate"},
		imports:  []string{"internal/schemalock", "internal/sqlstate", "schemactx/admin", "schemactx"},
		why:      "schemas can be migrated without a registry of tenants",
	},
	{
		packages: []string{"schemactx/admin"},
		imports:  []string{"schemactx", "internal/postgres", "internal/registrydb", "internal/sqlstate"},
		outside:  []string{"github.com/jackc/pgx/v5"},
		why:      "it sets up the database for the scope, with pgx and the standard library only",
	},
	{
		packages: []string{"internal/registrydb"},
		imports:  []string{"schemactx"},
		why:      "it names the schema of the registry, and does not know its tables",
	},
	{
		packages: []string{"schemactx"},
		imports:  []string{"internal/postgres", "internal/requestid", "internal/sqlstate", "internal/wait"},
		outside:  []string{"github.com/jackc/pgx/v5"},
		why:      "isolation depends on this package, so it uses only pgx and the standard library",
	},
	{
		packages: []string{"internal/wait"},
		outside:  []string{},
		why:      "it knows what is waited for as little as package time",
	},
	{
		packages: []string{"internal/schemalock"},
		outside:  []string{},
		why:      "it writes SQL and does not run it",
	},
	{
		packages: []string{"internal/postgres", "internal/sqlstate"},
		outside:  []string{"github.com/jackc/pgx/v5"},
		why:      "packages that run SQL share it",
	},
	{
		packages: []string{"internal/poolertest"},
		imports:  []string{"internal/testprocess"},
		why:      "packages under test must be able to import it without a cycle",
	},
	{
		packages: []string{"internal/testprocess"},
		outside:  []string{},
		why:      "it starts processes and does not know the servers",
	},
	{
		packages: []string{"internal/pgtest"},
		imports:  []string{"internal/localpg"},
		why:      "packages under test must be able to import the fixture without a cycle",
	},
	{
		packages: []string{"internal/localpg"},
		imports:  []string{"internal/hint"},
		why:      "the launcher knows servers and nothing about tenants",
	},
	{
		packages: []string{"internal/requestid"},
		outside:  []string{},
		why:      "the scope and the HTTP side share it, so it needs the standard library alone",
	},
	{
		packages: []string{"internal/hint"},
		outside:  []string{},
		why:      "it writes text for people and needs nothing for that",
	},
	{
		packages: []string{"internal/moduletest/..."},
		outside:  []string{},
		why:      "it runs the tests of other modules and imports nothing of them",
	},
	{
		packages: []string{
			"internal/archtest",
			"internal/moduletest",
			"internal/attacktest",
			"internal/corpustest",
			"internal/guidetest",
			"internal/readmetest",
		},
		outside: []string{},
		why:     "they judge the tree from outside and must not depend on it",
	},
}

// testOnly are imports that only test code may have. A path that ends in "/" is a prefix.
var testOnly = []string{
	"testing",
	"testing/",
	module + "/internal/migratetest",
	module + "/internal/pgtest",
	module + "/internal/poolertest",
	module + "/internal/schooltest",
	module + "/internal/testprocess",
	"github.com/testcontainers/",
	"github.com/rogpeppe/go-internal/",
	"github.com/creack/pty",
}

// testCode are the packages that are test code although the names of their files do not end in
// _test.go.
var testCode = []string{
	"internal/migratetest",
	"internal/pgtest",
	"internal/poolertest",
	"internal/schooltest",
	"internal/testprocess",
	"internal/archtest",
	"internal/moduletest",
	"tenancy/tenancytest",
	"tenancy/backup/storetest",
}

// directories are the top-level directories whose names do not begin with a dot.
var directories = []string{"examples", "erp", "resolver", "tenancy", "migrate", "schemactx", "internal"}

// maxDocLines is the maximum number of lines of a package comment, which is an introduction.
const maxDocLines = 60
