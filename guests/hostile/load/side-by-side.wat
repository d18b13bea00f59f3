;; Asynchronous calls, which run concurrently inside the host.
(component (core func (canon task.cancel))
  (instance $entry) (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry)))
