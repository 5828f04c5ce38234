import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { environmentName, SETTINGS } from '../../src/server/config/setting-list.ts'
import { documentsIn, textOf, yamlOf } from './files.ts'
import { PORTS, versionOf } from './package.ts'

interface Named {
  readonly name: string
}
interface Container extends Named {
  readonly image: string
  readonly args: readonly string[]
  readonly env?: readonly (Named & { readonly value?: string })[]
  readonly envFrom?: readonly { readonly configMapRef: Named }[]
  readonly ports?: readonly (Named & { readonly containerPort: number })[]
  readonly securityContext?: Readonly<Record<string, unknown>>
  readonly resources?: { readonly requests?: object; readonly limits?: Readonly<Record<string, string>> }
  readonly volumeMounts?: readonly (Named & { readonly mountPath: string; readonly readOnly?: boolean })[]
  readonly [probe: `${string}Probe`]: { readonly httpGet: { readonly path: string; readonly port: string } }
}
interface PodSpec {
  readonly automountServiceAccountToken: boolean
  readonly enableServiceLinks: boolean
  readonly securityContext: Readonly<Record<string, unknown>>
  readonly containers: readonly Container[]
  readonly volumes: readonly (Named & Readonly<Record<string, unknown>>)[]
}
interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels }
  readonly data?: Readonly<Record<string, string>>
  readonly stringData?: Readonly<Record<string, string>>
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly replicas?: number
    readonly minAvailable?: number
    readonly selector?: Labels & { readonly matchLabels?: Labels }
    readonly template?: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec }
    readonly ports?: readonly { readonly targetPort: string }[]
  }
}
type Labels = Readonly<Record<string, string>>

const MANIFESTS = documentsIn<Manifest>('deploy/kubernetes')
const ofKind = (kind: string): readonly Manifest[] =>
  MANIFESTS.map(({ document }) => document).filter((one) => one.kind === kind)
const [DEPLOYMENT, JOB, CONFIG, SECRET] = ['Deployment', 'Job', 'ConfigMap', 'Secret'].map((kind) => {
  const [one, ...more] = ofKind(kind)
  assert.ok(one !== undefined && more.length === 0, kind)
  return one
}) as [Manifest, Manifest, Manifest, Manifest]
const PODS = [DEPLOYMENT, JOB].map(({ spec: { template } }) => {
  assert.ok(template)
  return template
})
/** Every name that the environment may give: the settings, their files, and the file of all settings. */
const VARIABLES = new Set(
  [...SETTINGS.map(({ path }) => environmentName(path)), 'KEYSPRING_CONFIG'].flatMap((name) => [name, `${name}_FILE`]),
)

const API_VERSIONS: Readonly<Record<string, string>> = {
  Namespace: 'v1',
  ConfigMap: 'v1',
  Secret: 'v1',
  Service: 'v1',
  PersistentVolumeClaim: 'v1',
  Deployment: 'apps/v1',
  Job: 'batch/v1',
  PodDisruptionBudget: 'policy/v1',
  NetworkPolicy: 'networking.k8s.io/v1',
  ServiceMonitor: 'monitoring.coreos.com/v1',
}

describe('the manifests for Kubernetes', () => {
  for (const { file, document } of MANIFESTS) {
    test(`${file} holds a ${document.kind} of a version that is served, in the namespace`, () => {
      assert.equal(document.apiVersion, API_VERSIONS[document.kind])
      assert.match(document.metadata.name, /^[a-z][a-z-]*$/)
      if (document.kind !== 'Namespace') assert.equal(document.metadata.namespace, 'keyspring')
    })
  }

  test('hold each kind there is', () => {
    assert.deepEqual(new Set(MANIFESTS.map(({ document }) => document.kind)), new Set(Object.keys(API_VERSIONS)))
  })

  test('run three nodes, of which two stay', () => {
    assert.equal(DEPLOYMENT.spec.replicas, 3)
    assert.equal(ofKind('PodDisruptionBudget')[0]?.spec.minAvailable, 2)
  })

  for (const { metadata, spec } of PODS) {
    const [component = ''] = [metadata.labels['app.kubernetes.io/component']]
    const [container, ...others] = spec.containers
    assert.ok(container)

    test(`${component}: meets the restricted pod security standard and can write to its volumes alone`, () => {
      assert.deepEqual(others, [])
      const { securityContext: pod } = spec
      assert.equal(pod.runAsNonRoot, true)
      assert.deepEqual([pod.runAsUser, pod.runAsGroup, pod.fsGroup], [65532, 65532, 65532])
      assert.deepEqual(pod.seccompProfile, { type: 'RuntimeDefault' })
      assert.deepEqual(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      assert.equal(spec.automountServiceAccountToken, false)
      assert.equal(spec.volumes.filter((volume) => 'hostPath' in volume).length, 0)
    })

    test(`${component}: gets no variable of a service, which would be an unknown setting`, () => {
      assert.equal(spec.enableServiceLinks, false)
    })

    test(`${component}: takes its settings from what is there`, () => {
      assert.deepEqual(container.envFrom, [{ configMapRef: { name: CONFIG.metadata.name } }])
      for (const { name } of container.env ?? []) assert.ok(VARIABLES.has(name), name)
    })

    test(`${component}: mounts what it has, the secrets to read`, () => {
      const volumes = spec.volumes.map(({ name }) => name).sort()
      assert.deepEqual((container.volumeMounts ?? []).map(({ name }) => name).sort(), volumes)
      const secrets = container.volumeMounts?.find(({ name }) => name === 'secrets')
      assert.deepEqual(secrets, { name: 'secrets', mountPath: '/run/secrets/keyspring', readOnly: true })
      const volume = spec.volumes.find(({ name }) => name === 'secrets')?.secret
      assert.deepEqual(volume, { secretName: SECRET.metadata.name, defaultMode: 0o440 })
      assert.ok(container.volumeMounts?.some(({ mountPath }) => mountPath === '/data'))
    })

    test(`${component}: has its share of memory and of nothing without bounds`, () => {
      assert.ok(container.resources?.requests && container.resources.limits?.memory)
    })
  }

  test('name settings that there are, and secrets that there are', () => {
    for (const [name, value] of Object.entries(CONFIG.data ?? {})) {
      assert.ok(VARIABLES.has(name), name)
      assert.equal(typeof value, 'string', name)
      const secret = /^\/run\/secrets\/keyspring\/(.*)$/.exec(value)?.[1]
      if (secret !== undefined) assert.ok(secret in (SECRET.stringData ?? {}), secret)
      assert.equal(secret !== undefined, name.endsWith('_FILE'), name)
    }
  })

  test('hold no secret', () => {
    assert.deepEqual(new Set(Object.values(SECRET.stringData ?? {})), new Set(['']))
  })

  test('probe paths that there are, readiness and life apart', () => {
    const probes = DEPLOYMENT.spec.template?.spec.containers[0]
    assert.deepEqual(
      ['startupProbe', 'livenessProbe', 'readinessProbe'].map((name) => probes?.[name as `${string}Probe`]?.httpGet),
      ['/livez', '/livez', '/readyz'].map((path) => ({ path, port: 'http' })),
    )
  })

  test('serve on the ports of the image, and policies let those in', () => {
    const ports = DEPLOYMENT.spec.template?.spec.containers[0]?.ports ?? []
    assert.deepEqual(
      ports.map(({ containerPort }) => containerPort),
      PORTS,
    )
    const names = ports.map(({ name }) => name)
    for (const { spec } of ofKind('Service'))
      for (const { targetPort } of spec.ports ?? []) assert.ok(names.includes(targetPort))
    assert.equal(CONFIG.data?.KEYSPRING_ADMIN_PORT, String(PORTS[1]))
    const policy = ofKind('NetworkPolicy')[0]?.spec as { ingress: readonly { ports: readonly { port: number }[] }[] }
    assert.deepEqual(
      policy.ingress.flatMap((rule) => rule.ports.map(({ port }) => port)),
      PORTS,
    )
  })

  test('select the pods that there are', () => {
    const labels = DEPLOYMENT.spec.template?.metadata.labels
    assert.deepEqual(DEPLOYMENT.spec.selector?.matchLabels, labels)
    assert.deepEqual(ofKind('PodDisruptionBudget')[0]?.spec.selector?.matchLabels, labels)
    for (const { spec } of ofKind('Service')) assert.deepEqual(spec.selector, labels)
    const monitored = ofKind('ServiceMonitor')[0]?.spec.selector?.matchLabels
    const services = ofKind('Service').filter(({ metadata }) =>
      Object.entries(monitored ?? {}).every(([name, value]) => metadata.labels?.[name] === value),
    )
    assert.deepEqual(
      services.map(({ metadata }) => metadata.name),
      ['keyspring-admin'],
    )
  })
})

interface Service {
  readonly image: string
  readonly command?: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly secrets: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly ports?: readonly string[]
  readonly [more: string]: unknown
}
interface Compose {
  readonly services: Readonly<Record<'migrate' | 'keyspring' | 'postgres', Service>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
  readonly volumes: object
}
const COMPOSE = yamlOf<Compose>('deploy/compose/compose.yaml')

describe('the compose file', () => {
  const { migrate, keyspring, postgres } = COMPOSE.services

  test('makes the tables before it serves, when the database answers', () => {
    assert.deepEqual(migrate.command, ['store', 'migrate'])
    assert.deepEqual(migrate.depends_on, { postgres: { condition: 'service_healthy' } })
    assert.deepEqual(keyspring.depends_on, { migrate: { condition: 'service_completed_successfully' } })
    assert.ok(postgres.healthcheck && keyspring.healthcheck?.test.join(' ').includes('/readyz'))
  })

  for (const [name, service] of Object.entries({ migrate, keyspring })) {
    test(`${name} has no rights, and a root file system that cannot be written`, () => {
      assert.equal(service.user, '65532:65532')
      assert.equal(service.read_only, true)
      assert.deepEqual(service.cap_drop, ['ALL'])
      assert.deepEqual(service.security_opt, ['no-new-privileges:true'])
      assert.deepEqual(service.volumes, ['keyspring-data:/data'])
    })

    test(`${name} names settings that there are, and its secrets by files`, () => {
      for (const [variable, value] of Object.entries(service.environment)) {
        assert.ok(VARIABLES.has(variable), variable)
        if (variable.endsWith('_FILE')) assert.ok(service.secrets.includes(value.replace('/run/secrets/', '')), value)
        assert.doesNotMatch(value, /postgres:\/\//)
      }
      for (const secret of service.secrets) assert.ok(secret in COMPOSE.secrets, secret)
    })
  }

  test('is published on this machine alone', () => {
    assert.deepEqual(keyspring.ports, [`127.0.0.1:${PORTS[0]}:${PORTS[0]}`])
    assert.equal(postgres.ports, undefined)
  })

  test('keeps secrets out of the repository', () => {
    for (const { file } of Object.values(COMPOSE.secrets)) assert.match(file, /^\.\/secrets\//)
    assert.match(textOf('.gitignore'), /^deploy\/compose\/secrets\/$/m)
  })
})

test('every manifest names the image of this version', () => {
  const images = [
    ...PODS.map(({ spec }) => spec.containers[0]?.image),
    COMPOSE.services.migrate.image,
    COMPOSE.services.keyspring.image,
  ]
  assert.deepEqual(new Set(images), new Set([`keyspring:${versionOf()}`]))
})
