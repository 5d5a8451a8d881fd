"""Every key that wrangler knows, and which bindings dobook stands in for.

Source: cloudflare/workers-sdk packages/workers-utils/src/config/environment.ts, config.ts
"""

from typing import Final

INHERITED: Final = (
    "name", "account_id", "compatibility_date", "compatibility_flags", "main",
    "find_additional_modules", "preserve_file_names", "base_dir", "workers_dev", "preview_urls",
    "routes", "route", "tsconfig", "jsx_factory", "jsx_fragment", "migrations", "exports",
    "triggers", "limits", "rules", "build", "no_bundle", "minify", "keep_names",
    "first_party_worker", "logfwdr", "logpush", "upload_source_maps", "placement", "assets",
    "observability", "access", "cache", "compliance_region", "python_modules", "previews",
)  # fmt: skip

# Key: where its bindings' names stand ("name", "binding"; "" for the key's own table), and what the
# platform calls it. A Worker that only declares one works; using it raises an error.
VERSION_METADATA: Final = "version metadata"  # three texts, which dobook does offer
UNSUPPORTED: Final = {
    "workflows": ("binding", "Workflows"),
    "kv_namespaces": ("binding", "Workers KV"),
    "send_email": ("name", "Email"),
    "r2_buckets": ("binding", "R2"),
    "d1_databases": ("binding", "D1"),
    "vectorize": ("binding", "Vectorize"),
    "ai_search_namespaces": ("binding", "AI Search"),
    "ai_search": ("binding", "AI Search"),
    "agent_memory": ("binding", "Agent Memory"),
    "websearch": ("", "Web Search"),
    "hyperdrive": ("binding", "Hyperdrive"),
    "analytics_engine_datasets": ("binding", "Analytics Engine"),
    "browser": ("", "Browser Rendering"),
    "ai": ("", "Workers AI"),
    "images": ("", "Images"),
    "media": ("", "Media Transformations"),
    "stream": ("", "Stream"),
    "version_metadata": ("", VERSION_METADATA),
    "mtls_certificates": ("binding", "mTLS certificates"),
    "dispatch_namespaces": ("binding", "Workers for Platforms"),
    "pipelines": ("binding", "Pipelines"),
    "secrets_store_secrets": ("binding", "Secrets Store"),
    "artifacts": ("binding", "Artifacts"),
    "flagship": ("binding", "Flagship"),
    "ratelimits": ("name", "rate limiting"),
    "worker_loaders": ("binding", "Worker Loaders"),
    "vpc_services": ("binding", "VPC services"),
    "vpc_networks": ("binding", "VPC networks"),
}

NOT_INHERITED: Final = (
    "define", "vars", "secrets", "durable_objects", "cloudchamber", "containers", "queues",
    "connect", "services", "unsafe", "tail_consumers", "streaming_tail_consumers",
    "unsafe_hello_world", *UNSUPPORTED,
)  # fmt: skip

TOP_LEVEL: Final = (
    "$schema", "env", "legacy_env", "send_metrics", "dependencies_instrumentation", "dev", "site",
    "wasm_modules", "text_blobs", "data_blobs", "alias", "keep_vars", "addresses",
    "pages_build_output_dir", "node_compat", "usage_model",
)  # fmt: skip

MIGRATION: Final = (
    "tag", "new_classes", "new_sqlite_classes", "renamed_classes", "deleted_classes",
    "transferred_classes",
)  # fmt: skip

ADVICE: Final = (
    "dobook runs Durable Objects and the Workers in front of them. Keep such data in an object's "
    "storage, or give the class a stand-in of your own for tests: runtime.env.bind({name!r}, ...)."
)
