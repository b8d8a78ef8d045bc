// Package rpc has interceptors that find the tenant of a call, for unary calls and streams of gRPC
// and Connect. Its test serves two tenants without domains with both.
//
//	schools := rpc.Tenants{Find: directory.ResolveSlug, Admit: quarantine.Admit}
//	server := grpc.NewServer(
//		grpc.UnaryInterceptor(schools.GRPCUnary),
//		grpc.StreamInterceptor(schools.GRPCStream),
//	)
//
// A call names its tenant in the metadata "x-tenant", which decides whose data it can access. So
// serve only callers that you trust and that authenticate (mutual TLS), or let Find accept only a
// value that a caller cannot forge, such as a token that [tenanttoken.Signer] has signed.
//
// A caller gets a code for each refusal, and never the text of a database error:
//
//   - NotFound for an unknown tenant
//   - PermissionDenied for a suspended tenant
//   - Unavailable with a time to call again during maintenance, in quarantine, and while the
//     database is unavailable
//   - Unknown if the connection was lost and a change may have been made
//   - DeadlineExceeded and Canceled for a call whose context has ended
//   - Internal for any other error of a handler, unless it is a gRPC status or a [connect.Error]
//
// It is a separate module, so that programs that import pgtenant do not get gRPC and Connect in
// their go.mod and go.sum.
package rpc
