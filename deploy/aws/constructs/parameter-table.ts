/** One question that the console asks. */
export interface ParameterRow {
  readonly group: string
  readonly label: string
  readonly description: string
  readonly type?: 'String' | 'Number' | 'CommaDelimitedList'
  /** Missing: there is no default, and it has to be answered. */
  readonly default?: string | number
  readonly allowedValues?: readonly string[]
  readonly allowedPattern?: string
  readonly constraint?: string
  readonly min?: number
  readonly max?: number
}

/** Lines of base64, separated by spaces. */
const PEM_LINES = '^([A-Za-z0-9+/=]{16,76}( [A-Za-z0-9+/=]{1,76}){0,20})?$'
const YES_NO = ['true', 'false']
const BUCKET_ARNS = '^(arn:aws[a-z-]*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$'
const CONTENT_PATTERNS = '^([A-Za-z0-9_.*-]{1,256})?$'
const SECRET_ARN = '^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,519})?$'
const LOG_DAYS = [
  '1',
  '3',
  '5',
  '7',
  '14',
  '30',
  '60',
  '90',
  '120',
  '150',
  '180',
  '365',
  '400',
  '545',
  '731',
  '1827',
  '3653',
]

/** What an encryptor is let in by, in every template. */
export const ENCRYPTOR_PARAMETERS = {
  MediaConvertInputBucketArns: {
    group: 'Encryptors',
    label: 'Buckets that MediaConvert reads',
    description: 'ARNs, separated by commas, such as arn:aws:s3:::my-sources. Empty: none.',
    type: 'CommaDelimitedList',
    default: '',
    allowedPattern: BUCKET_ARNS,
    constraint: 'ARNs of whole buckets, without wildcards',
  },
  MediaConvertOutputBucketArns: {
    group: 'Encryptors',
    label: 'Buckets that MediaConvert writes',
    description: 'ARNs, separated by commas, such as arn:aws:s3:::my-streams. Empty: none.',
    type: 'CommaDelimitedList',
    default: '',
    allowedPattern: BUCKET_ARNS,
    constraint: 'ARNs of whole buckets, without wildcards',
  },
  RegionalPrincipals: {
    group: 'Encryptors',
    label: 'Trust the principals of the region',
    description:
      'In opt-in regions services call as SERVICE.REGION.amazonaws.com. Leave false elsewhere: IAM refuses principals that do not exist.',
    default: 'false',
    allowedValues: YES_NO,
  },
  RequireSourceAccount: {
    group: 'Encryptors',
    label: 'Require aws:SourceAccount',
    description:
      'Adds the condition to the trust of the roles. AWS does not say whether every encryptor sends it: try it with a test channel first.',
    default: 'false',
    allowedValues: YES_NO,
  },
  BitmovinExternalId: {
    group: 'Encryptors',
    label: 'External id for Bitmovin',
    description: 'A text of your own that is named to Bitmovin. Empty: no role for Bitmovin.',
    default: '',
    allowedPattern: '^([\\w+=,.@:/-]{8,1224})?$',
    constraint: '8 characters or more',
  },
} as const satisfies Record<string, ParameterRow>

/** How much of it, and who is told when something is wrong, in every template. */
export const OPERATION_PARAMETERS = {
  EncryptorRequestsPerSecond: {
    group: 'Limits',
    label: 'Requests per second of encryptors',
    description: 'More are answered 429. The account has a limit of its own, 10000 in most regions.',
    type: 'Number',
    default: 1000,
    min: 1,
  },
  EncryptorBurst: {
    group: 'Limits',
    label: 'Requests of encryptors at once',
    description: 'Channels that rotate by the same clock ask in the same second.',
    type: 'Number',
    default: 2000,
    min: 1,
  },
  WebAcl: {
    group: 'Limits',
    label: 'Web ACL for encryptors',
    description: 'A WAF that limits the requests of one address and refuses known bad input. It costs extra.',
    default: 'false',
    allowedValues: YES_NO,
  },
  AlarmEmail: {
    group: 'Operations',
    label: 'Address for alarms',
    description: 'AWS sends a mail to confirm it. Empty: alarms are at their topic alone.',
    default: '',
    allowedPattern: '^([^@\\s]+@[^@\\s]+)?$',
    constraint: 'an e-mail address',
  },
  LogRetentionDays: {
    group: 'Operations',
    label: 'Days that logs are kept',
    description: 'Logs name contents and callers. No log holds a key.',
    type: 'Number',
    default: 90,
    allowedValues: LOG_DAYS,
  },
  ApiGatewayLogRole: {
    group: 'Operations',
    label: 'Role with which API Gateway writes logs',
    description:
      'An account has one for each region. create: set it, and leave it when the stack is deleted. exists: it has been set already.',
    default: 'create',
    allowedValues: ['create', 'exists'],
  },
} as const satisfies Record<string, ParameterRow>

/** What the serverless template asks besides. */
export const SERVERLESS_PARAMETERS = {
  CodeBucket: {
    group: 'Code',
    label: 'Bucket with the code',
    description: 'A bucket of yours, in this region.',
    allowedPattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$',
    constraint: 'the name of a bucket',
  },
  CodeKey: {
    group: 'Code',
    label: 'Key of the code',
    description: 'The ZIP file that npm run build:lambda made. Its name holds its hash: another file has another name.',
    allowedPattern: '^[A-Za-z0-9!_.*()/-]{1,1000}\\.zip$',
    constraint: 'the key of a .zip file',
  },
  ExistingTableName: {
    group: 'Keys',
    label: 'Table that exists',
    description:
      'The name of the table of an earlier stack, or of a replica of a global table. Empty: the stack makes one.',
    default: '',
    allowedPattern: '^([A-Za-z0-9_.-]{3,255})?$',
    constraint: 'the name of a table',
  },
  ExistingKeyArn: {
    group: 'Keys',
    label: 'KMS key that exists',
    description:
      'The ARN of the key of an earlier stack, or of a replica of a multi-Region key. Empty: the stack makes one.',
    default: '',
    allowedPattern: '^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$',
    constraint: 'the ARN of a key, not of an alias',
  },
  RootSecretArn: {
    group: 'Keys',
    label: 'Root secret for derived-root',
    description:
      'A secret of Secrets Manager with 32 bytes in base64, the same in every region. Empty: each content has a secret of its own.',
    default: '',
    allowedPattern: SECRET_ARN,
    constraint: 'the ARN of a secret',
  },
  ConfigurationArn: {
    group: 'Keys',
    label: 'Configuration of your own',
    description:
      'A parameter of Systems Manager or a secret with keyspring.yaml: profiles, clients, DRM systems, retention. Empty: what is asked here.',
    default: '',
    allowedPattern:
      '^(arn:aws[a-z-]*:(ssm:[a-z0-9-]+:[0-9]{12}:parameter/[A-Za-z0-9/_.-]+|secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,519}))?$',
    constraint: 'the ARN of a parameter of Systems Manager or of a secret',
  },
  LiveContentIds: {
    group: 'Keys',
    label: 'Contents that are live',
    description:
      'Patterns of their contentIds, separated by commas, * for any text, such as live-*. All others never expire.',
    type: 'CommaDelimitedList',
    default: '',
    allowedPattern: CONTENT_PATTERNS,
    constraint: 'letters, digits, dots, dashes, underscores and *',
  },
  LiveRetentionDays: {
    group: 'Keys',
    label: 'Days that live contents are kept',
    description: 'After the last request for their keys. 0: for ever.',
    type: 'Number',
    default: 0,
    min: 0,
    max: 36500,
  },
  SignalingProfile: {
    group: 'Keys',
    label: 'Signalling profile',
    description: 'mediapackage-v2 for MediaPackage v2, else default.',
    default: 'mediapackage-v2',
    allowedValues: ['default', 'mediapackage-v2'],
  },
  PlayerAccess: {
    group: 'Players',
    label: 'How players get AES-128 keys and ClearKey licences',
    description:
      'off: not at all. signed: by signed cookies or signed URLs of CloudFront. jwt: by a token that Keyspring checks.',
    default: 'off',
    allowedValues: ['off', 'signed', 'jwt'],
  },
  PlayerDomainName: {
    group: 'Players',
    label: 'Domain for players',
    description:
      'Such as keys.example.com. Needed unless players are off: without a domain of its own CloudFront takes TLS 1.0.',
    default: '',
    allowedPattern: '^([a-z0-9-]+(\\.[a-z0-9-]+)+)?$',
    constraint: 'a host name in lower case',
  },
  PlayerCertificateArn: {
    group: 'Players',
    label: 'Certificate of that domain',
    description: 'The ARN of a certificate of ACM in us-east-1, whatever the region of the stack.',
    default: '',
    allowedPattern: '^(arn:aws[a-z-]*:acm:us-east-1:[0-9]{12}:certificate/[A-Za-z0-9-]+)?$',
    constraint: 'the ARN of a certificate in us-east-1',
  },
  PlayerOrigins: {
    group: 'Players',
    label: 'Pages that may read keys',
    description:
      'Exact origins, separated by commas, such as https://player.example.com. Empty: none but those of the domain itself.',
    type: 'CommaDelimitedList',
    default: '',
    allowedPattern: '^(https?://[a-z0-9.-]+(:[0-9]+)?)?$',
    constraint: 'origins without a path and without *',
  },
  PlayerPublicKey: {
    group: 'Players',
    label: 'Public key for signed cookies and URLs',
    description:
      'RSA 2048 or ECDSA 256: the lines of the PEM file between its first and its last, separated by spaces. For signed this or the other.',
    default: '',
    allowedPattern: PEM_LINES,
    constraint: 'lines of base64, separated by spaces, without BEGIN and END',
  },
  PlayerPublicKeyB: {
    group: 'Players',
    label: 'Another public key',
    description:
      'CloudFront never changes a key. For a new one fill the field that is empty, sign with that, then empty the other.',
    default: '',
    allowedPattern: PEM_LINES,
    constraint: 'lines of base64, separated by spaces, without BEGIN and END',
  },
  PlayerJwksUrl: {
    group: 'Players',
    label: 'Key set for tokens',
    description: 'The https URL of a JWKS. For jwt this or the secret.',
    default: '',
    allowedPattern: '^(https://[^\\s]+)?$',
    constraint: 'an https URL',
  },
  PlayerJwtSecretArn: {
    group: 'Players',
    label: 'Secret for tokens',
    description: 'A secret of Secrets Manager, 32 bytes or more, for HS256.',
    default: '',
    allowedPattern: SECRET_ARN,
    constraint: 'the ARN of a secret',
  },
  PlayerTokenCookie: {
    group: 'Players',
    label: 'Cookie with the token',
    description: 'For jwt; a header Authorization: Bearer may always carry it.',
    default: '',
    allowedPattern: '^([A-Za-z0-9_-]{1,64})?$',
    constraint: 'the name of a cookie',
  },
  PlayerWebAclArn: {
    group: 'Players',
    label: 'Web ACL for players',
    description: 'The ARN of a Web ACL of the scope CLOUDFRONT, in us-east-1. Empty: none.',
    default: '',
    allowedPattern: '^(arn:aws[a-z-]*:wafv2:us-east-1:[0-9]{12}:global/webacl/[A-Za-z0-9/_-]+)?$',
    constraint: 'the ARN of a global Web ACL',
  },
  PlayerOriginKey: {
    group: 'Players',
    label: 'Key of CloudFront',
    description: 'By which only CloudFront can call the API for players. The other letter makes a new one.',
    default: 'a',
    allowedValues: ['a', 'b'],
  },
  PlayerRequestsPerSecond: {
    group: 'Limits',
    label: 'Requests per second of players',
    description: 'Of all players together; more are answered 429.',
    type: 'Number',
    default: 2000,
    min: 1,
  },
  PlayerBurst: {
    group: 'Limits',
    label: 'Requests of players at once',
    description: 'Of all players together.',
    type: 'Number',
    default: 4000,
    min: 1,
  },
  FunctionMemory: {
    group: 'Limits',
    label: 'Memory of the functions',
    description: 'In MB; the processor grows with it. 1769 MB is one whole processor.',
    type: 'Number',
    default: 1024,
    min: 256,
    max: 10240,
  },
  PlayerConcurrency: {
    group: 'Limits',
    label: 'Instances for players at most',
    description: 'So that players cannot take what encryptors need. 0: no limit but the account’s.',
    type: 'Number',
    default: 0,
    min: 0,
  },
  WatchRotations: {
    group: 'Operations',
    label: 'Watch for rotations that do not come',
    description: 'on: every five minutes a function looks for channels that did not ask for their next key period.',
    default: 'on',
    allowedValues: ['on', 'off'],
  },
  EventBusName: {
    group: 'Operations',
    label: 'Event bus',
    description: 'Where events such as key.issued go. Empty: nowhere.',
    default: '',
    allowedPattern: '^([A-Za-z0-9_.-]{1,256})?$',
    constraint: 'the name of a bus in this account and region',
  },
} as const satisfies Record<string, ParameterRow>

/** What the template for nodes of your own asks besides. */
export const GATEWAY_PARAMETERS = {
  KeyspringUrl: {
    group: 'Self-hosted',
    label: 'Where Keyspring is',
    description:
      'Such as https://keyspring.example.com. Its certificate has to be one of a public issuer: API Gateway checks it.',
    allowedPattern: '^https://[a-z0-9.-]+(:[0-9]+)?$',
    constraint: 'an https URL without a path',
  },
  ClientCertificates: {
    group: 'Self-hosted',
    label: 'Client certificates of the gateway',
    description:
      'The first letter is the one it uses. They end after a year. To change: a, then ab, then ba, then b; and back.',
    default: 'a',
    allowedValues: ['a', 'ab', 'ba', 'b'],
  },
  GatewaySecretArn: {
    group: 'Self-hosted',
    label: 'Secret of the gateway',
    description:
      'A secret of Secrets Manager that is sent as X-Keyspring-Gateway-Secret, where no client certificate can be. Empty: none.',
    default: '',
    allowedPattern: SECRET_ARN,
    constraint: 'the ARN of a secret',
  },
} as const satisfies Record<string, ParameterRow>
