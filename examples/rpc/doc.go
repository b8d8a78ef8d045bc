// Package rpc puts pgtenant in front of services that do not serve by net/http: interceptors for gRPC and for Connect, for
// single calls and streams. Its test serves two tenants, which have no domains, with both.
//
//	schools := rpc.Tenants{Find: directory.ResolveSlug, Admit: quarantine.Admit}
//	server := grpc.NewServer(
//		grpc.UnaryInterceptor(schools.GRPCUnary),
//		grpc.StreamInterceptor(schools.GRPCStream),
//	)
//
// A call names its tenant in the metadata "x-tenant". That is the caller's word, and decides whose data it reaches: either
// the callers are services of your own, which the connection proves (mutual TLS), or Find takes what cannot be made
// up, as a token does that [tenancy.Signer] has signed.
//
// It is a module of its own, so that gRPC and Connect reach neither the go.mod nor the go.sum of those who import pgtenant.
package rpc
