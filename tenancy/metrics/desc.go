package metrics

import "github.com/prometheus/client_golang/prometheus"

// descs are the descriptions of the metrics that are created at each scrape.
var descs []*prometheus.Desc

func desc(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc(name, help, labels, nil)
	descs = append(descs, d)
	return d
}

// Activity of tenants.
var (
	descStatements = desc("pgtenant_statements_total", "Statements that ended, with or without an error.", "tenant")
	descUnits      = desc(
		"pgtenant_units_total",
		"Units of work that got a connection: statements of their own, batches, transactions.",
		"tenant",
	)
	descErrors = desc(
		"pgtenant_statement_errors_total",
		"Statements, batches, copies and commits that failed, by class of SQLSTATE, or by scope, escape, canceled, "+
			"client, other.",
		"tenant",
		"class",
	)
	descAttempts = desc("pgtenant_cross_tenant_attempts_total",
		"Statements that the server refused inside of a scope because a privilege was missing (42501).", "tenant")
	descEscapes = desc("pgtenant_scope_escapes_total",
		"Statements that would have changed their scope or session, and were refused or lost their connection.", "tenant")
	descSwitches = desc("pgtenant_explicit_switches_total",
		"Explicit switches to this schema (WithSchema, WithPublic).", "tenant")
	descWait = desc(
		"pgtenant_connection_wait_seconds_total",
		"Time that units of work waited for a connection.",
		"tenant",
	)
	descHeld  = desc("pgtenant_connections_held", "Connections in use.", "tenant")
	descWaits = desc("pgtenant_connections_waiting",
		"Units of work that wait for a connection because their tenant uses all that its limit allows.", "tenant")
	descRequests = desc(
		"pgtenant_http_requests_total",
		"Requests, by class of status; maintenance: refused with 503 for a tenant in maintenance or not ready yet.",
		"tenant",
		"code",
	)
	descDuration = desc(
		"pgtenant_http_request_duration_seconds",
		"Time from a request's arrival at its site to its end.",
		"tenant",
	)
	descLogins    = desc("pgtenant_login_failures_total", "Failed logins of people.", "tenant")
	descDecisions = desc("pgtenant_ratelimit_decisions_total", "Decisions of the rate limiter.", "tenant", "decision")
	descTracked   = desc("pgtenant_tracked_tenants", "Tenants that are counted separately.")
	descInfo      = desc(
		"pgtenant_tenant_info",
		"The slug that a value of the label tenant stands for; always 1.",
		"tenant",
		"slug",
	)
)

// Figures of database handles.
var (
	descChanges = desc(
		"pgtenant_connection_tenant_changes_total",
		"Times that a connection served another tenant than before.",
	)
	descScrubs = desc(
		"pgtenant_connection_scrubs_total",
		"Times that a connection was reset because the tenant before may have left session state.",
	)
	descDestroyed = desc(
		"pgtenant_connections_destroyed_total",
		"Connections that were closed because their session state was not known to be clean.",
	)
	descCache = desc(
		"pgtenant_statement_cache_lookups_total",
		"Look-ups of prepared statements, by result.",
		"result",
	)
	descEvicted = desc(
		"pgtenant_statement_cache_evictions_total",
		"Prepared statements that were evicted from the cache.",
	)
	descRetries = desc("pgtenant_transaction_retries_total", "Transactions that were retried.")
	descPool    = desc("pgtenant_pool_connections", "Connections of all pools, by state.", "state")
	descPoolMax = desc("pgtenant_pool_max_connections", "Connections that all pools may have.")
	descPools   = desc("pgtenant_pools", "Pools that are open.")
	descCurrent = desc(
		"pgtenant_directory_current_timestamp_seconds",
		"When the directory of hosts was last known to be current.",
	)
	descConnected  = desc("pgtenant_directory_connected", "Whether the directory of hosts gets changes: 1 or 0.")
	descHosts      = desc("pgtenant_directory_hosts", "Hosts that belong to a site.")
	descDirTenants = desc("pgtenant_directory_tenants", "Tenants that the directory of hosts knows.")
	descDisputed   = desc("pgtenant_directory_disputed_hosts", "Hosts that two sites claim.")
	descLoads      = desc("pgtenant_directory_loads_total", "Readings of the registry by the directory of hosts.", "kind")
	descReconnects = desc("pgtenant_directory_reconnects_total", "Times that the directory of hosts had to connect again.")
	descNotes      = desc(
		"pgtenant_directory_notifications_total",
		"Notifications that the directory of hosts got.",
		"kind",
	)
)

// Figures of the quarantine.
var (
	descQuarantined = desc("pgtenant_quarantined_tenants",
		"Schemas whose tenants are not served because the program cannot work with them, by reason.", "reason")
	descQuarantine = desc("pgtenant_quarantine_survey_timestamp_seconds",
		"When the quarantine last began to check all schemas; 0: never.")
)

// Results of surveys.
var (
	descTenants = desc("pgtenant_tenants", "Tenants by status.", "status")
	descSize    = desc(
		"pgtenant_schema_size_bytes",
		"Size of the tenant's tables and indexes, as of the last VACUUM or ANALYZE of each.",
		"tenant",
	)
	descBehind = desc("pgtenant_migration_schemas", "Schemas by migration state.", "state")
	descEdited = desc(
		"pgtenant_migration_edited_schemas",
		"Schemas in which migrations are applied whose files were edited since.",
	)
	descBackup = desc(
		"pgtenant_backup_timestamp_seconds",
		"When the tenant was last backed up, for those longest ago.",
		"tenant",
	)
	descOldest = desc(
		"pgtenant_backup_oldest_timestamp_seconds",
		"The longest ago that an active tenant with a backup was last backed up; 0: none has one.",
	)
	descBackups = desc("pgtenant_backup_tenants", "Active tenants, by whether they have a backup.", "state")
	descSurvey  = desc(
		"pgtenant_survey_last_success_timestamp_seconds",
		"When the last survey that succeeded began; 0: none has.",
		"survey",
	)
	descSurveyTook = desc("pgtenant_survey_duration_seconds", "How long the last survey that succeeded took.", "survey")
	descSurveyFail = desc("pgtenant_survey_failures_total", "Surveys that failed.", "survey")
)
