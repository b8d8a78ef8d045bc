package resolver

import "errors"

var (
	// ErrAmbiguous is returned by [Directory.Resolve] for a host that is the verified domain of one
	// tenant and the <slug>.<base> of another. Neither tenant gets the host until the domain or the
	// slug changes.
	ErrAmbiguous = errors.New("host stands for two tenants")

	// ErrNotListening is returned by [NewDirectory], and is the Err of [Status], if LISTEN succeeded
	// but a notification that the directory sent to itself did not arrive: the connection goes through
	// a pooler in transaction mode. The directory would see changes of the registry up to
	// [Config].Reconcile late, and its Status would say that it is current.
	ErrNotListening = errors.New("notifications do not arrive, as through a pooler in transaction mode: " +
		"give Config.Connect an address of the server itself")

	// ErrClosed is returned by [Directory.Refresh] after [Directory.Close].
	ErrClosed = errors.New("directory is closed")
)
